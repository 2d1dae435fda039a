import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { definePlugin, type Plugin } from '@postern/plugin-sdk';
import { parseConfiguration } from '../../src/configuration/index.js';
import { PluginSet } from '../../src/plugins/index.js';
import { linePlugin, lines } from '../cluster/line-protocol.js';

/** A plugin as a stranger ships it: plain JavaScript that imports nothing of ours. */
const source = (id: string, more = ''): string => `
const anything = { parse: (value) => value ?? {}, safeParse: (value) => ({ success: true, data: value ?? {} }) };
export default {
  sdk: 1,
  protocol: {
    id: '${id}', title: 'A stranger', posture: 'hostile-client', transport: { kind: 'tls' }, config: anything,
    auth: { resource: anything, ask: anything, access: anything, endpoints: () => [], permits: () => false, forbids: () => false },
    audit: {},
  },
  agent: async () => { throw new Error('not loaded yet'); },
  ${more}
};
`;

describe('a set of plugins', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'postern-plugins-'))));
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function put(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await writeFile(join(directory, file), text);
  }

  /** What a configuration with this `plugins` section enables. */
  async function load(section: string, standard: readonly Plugin[] = [linePlugin()]): Promise<PluginSet> {
    const text = `cluster: c.test\nplugins:\n${section.replace(/^/gm, '  ')}\n`;
    const { configuration, source: where } = parseConfiguration(text, '/etc/postern.yaml');
    return PluginSet.load({ standard, sections: configuration.plugins, source: where, directory });
  }

  const refused = (section: string, message: RegExp): Promise<void> =>
    assert.rejects(load(section), (cause: Error) => {
      assert.equal((cause as Error & { code?: string }).code, 'invalid_config');
      assert.match(cause.message, message);
      return true;
    });

  it('enables what is part of the product without a section, and leaves out what is not wanted', async () => {
    assert.deepEqual([...(await load('{}')).protocols.keys()], ['lines']);
    assert.deepEqual([...(await load('lines: { enabled: false }')).protocols.keys()], []);
  });

  it('gives a plugin its section, checked by its own schema', async () => {
    assert.deepEqual((await load('lines: { greeting: hi }')).get('lines')?.config, { greeting: 'hi' });
    assert.deepEqual((await load('{}')).get('lines')?.config, { greeting: 'ok hello' });
  });

  it('points at the line of a section that its schema refuses, with the nearest key', async () => {
    await refused(
      'lines:\n  greting: hi',
      /^\/etc\/postern\.yaml:4:5: unknown key plugins\.lines\.greting; did you mean greeting\?$/,
    );
    await refused('lines:\n  greeting: 5', /^\/etc\/postern\.yaml:4:5: plugins\.lines\.greeting: /);
  });

  it('says which plugin was meant by one that is not known', async () => {
    await refused('line: {}', /^\/etc\/postern\.yaml:3:3: there is no plugin line; did you mean lines\?$/);
    await refused('telepathy: {}', /needs `package` or `path`$/);
  });

  for (const id of ['rules', 'auth', 'role', 'lock', 'user'])
    it(`lets nobody be called ${id}`, () => refused(`${id}: {}`, /since the kernel uses the word/));

  const packages: Readonly<Record<string, string>> = {
    'a main file': '{"type":"module","main":"./plugin.js"}',
    'one export': '{"type":"module","exports":"./plugin.js"}',
    'an export of modules only': '{"type":"module","exports":{".":{"types":"./x.d.ts","import":"./plugin.js"}}}',
    'nested conditions': '{"exports":{"browser":"./no.js","node":{"require":"./no.cjs","import":"./plugin.mjs"}}}',
    'the default condition': '{"type":"module","exports":{".":{"postern:source":"./no.ts","default":"./plugin.js"}}}',
  };
  for (const [what, manifest] of Object.entries(packages)) {
    const file = manifest.includes('plugin.mjs') ? 'plugin.mjs' : 'plugin.js';
    it(`loads an installed package with ${what}`, async () => {
      await put('node_modules/@stranger/echo/package.json', manifest);
      await put(`node_modules/@stranger/echo/${file}`, source('echo'));
      const set = await load("echo: { package: '@stranger/echo', volume: 11 }");
      assert.deepEqual(set.get('echo')?.config, { volume: 11 });
    });

    it(`loads a directory with ${what}`, async () => {
      await put('echo/package.json', manifest);
      await put(`echo/${file}`, source('echo'));
      assert.ok((await load('echo: { path: ./echo }')).get('echo'));
    });
  }

  it('loads a file, relative to the configuration', async () => {
    await put('sub/echo.mjs', source('echo'));
    assert.ok((await load('echo: { path: sub/echo.mjs }')).get('echo'));
  });

  it('lets a plugin of an operator take the place of a standard one', async () => {
    await put('lines.mjs', source('lines'));
    assert.equal((await load('lines: { path: ./lines.mjs }')).get('lines')?.plugin.protocol.title, 'A stranger');
  });

  it('says where and what is wrong with one that cannot be used', async () => {
    await put('throws.mjs', 'throw new Error("out of ink")');
    await put('empty.mjs', 'export const nothing = 1');
    await put('other.mjs', source('other'));
    await put('newer.mjs', source('echo').replace('sdk: 1', 'sdk: 2'));
    await put('none/package.json', '{"exports":{"./sub":"./x.js"}}');
    const at = '^/etc/postern\\.yaml:3:3: ';
    await refused(
      'echo: { path: ./absent.mjs }',
      new RegExp(`${at}the plugin \\./absent\\.mjs cannot be loaded: ENOENT`),
    );
    await refused('echo: { package: absent-package }', new RegExp(`${at}the plugin absent-package cannot be loaded`));
    await refused('echo: { path: ./throws.mjs }', new RegExp(`${at}.*out of ink$`));
    await refused('echo: { path: ./empty.mjs }', new RegExp(`${at}.*no plugin as its default export$`));
    await refused('echo: { path: ./other.mjs }', new RegExp(`${at}.*is the plugin other; name the section so$`));
    await refused('echo: { path: ./newer.mjs }', new RegExp(`${at}.*written for version 2 .*speaks version 1$`));
    await refused('echo: { path: ./none }', new RegExp(`${at}.*exports nothing that can be imported$`));
  });

  it('loads no half of a plugin before it is needed', async () => {
    const halves = definePlugin(lines, {
      agent: () => assert.fail('the agent half was loaded'),
      client: () => assert.fail('the client half was loaded'),
    });
    await load('{}', [halves]);
  });
});
