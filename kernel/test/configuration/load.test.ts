import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration, parseConfiguration, type Configuration } from '../../src/configuration/index.js';
import { commentedConfiguration } from '../../src/cli/postern/commented-configuration.js';

/** Loads a file with these bytes; what is wrong is said without the directory. */
async function load(bytes: string | Uint8Array): Promise<Configuration> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-configuration-'));
  try {
    const file = join(directory, 'postern.yaml');
    await writeFile(file, bytes);
    const { configuration } = await loadConfiguration(file);
    return { ...configuration, data: configuration.data.replace(directory, '') };
  } catch (cause) {
    if (cause instanceof Error) cause.message = cause.message.replaceAll(`${directory}/`, '');
    throw cause;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const bytes = (...parts: readonly (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

const invalid = (message: string) => ({ code: 'invalid_config', message });

describe('a configuration file', () => {
  const nested = (levels: number): string =>
    Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
  for (const [what, text] of [
    ['brackets', '['.repeat(3000)],
    ['brackets that are closed', `${'['.repeat(3000)}${']'.repeat(3000)}`],
    ['braces', '{a: '.repeat(2000)],
    ['dashes', '- '.repeat(50_000)],
    ['questions', '? '.repeat(5000)],
    ['indented keys', nested(1000)],
  ] as const)
    it(`is refused before it is parsed where ${what} would end the parser's stack`, async () => {
      await assert.rejects(load(text), invalid('postern.yaml: this is nested more than 64 levels deep'));
    });

  it('is refused before it is parsed where it is longer than any configuration', async () => {
    await assert.rejects(load('#'.repeat(5_000_000)), invalid('postern.yaml: this is longer than 4194304 bytes'));
  });

  for (const [what, text] of [
    ['has nothing in it', ''],
    ['has only blanks in it', ' \n\n'],
    ['has only comments in it', '# cluster: a.b\n# data: x\n'],
    ['has an empty document in it', '---\n'],
    ['has an empty mapping in it', '{}\n'],
    ['has only the mark of UTF-8 in it', '\uFEFF'],
  ] as const)
    it(`means the defaults where it ${what}`, async () => {
      const { cluster, data, proxy } = await load(text);
      assert.deepEqual([cluster, data], ['postern.localhost', '/.postern']);
      assert.deepEqual(proxy.listen, { host: '127.0.0.1', port: 3080 });
    });

  it('may begin with the mark of UTF-8', async () => {
    assert.equal((await load('\uFEFFcluster: a.example\n')).cluster, 'a.example');
  });

  for (const [what, content, place] of [
    ['Latin-1', bytes('cluster: a.b\ndata: gr', 0xfc, 'n\n'), '2:9'],
    ['Latin-1 behind other letters', bytes('# ü\ndata: ü', 0xfc, '\n'), '2:8'],
    ['a character that is cut off at the end', bytes('data: a', 0xe2, 0x82), '1:8'],
    ['half of a surrogate pair', bytes('data: ', 0xed, 0xa0, 0x80, '\n'), '1:7'],
    ['a longer form than needed', bytes('data: ', 0xc0, 0xaf, '\n'), '1:7'],
    ['UTF-16', Buffer.from('\uFEFFcluster: a.b\n', 'utf16le'), '1:1'],
  ] as const)
    it(`is refused where it is not UTF-8: ${what}`, async () => {
      await assert.rejects(load(content), invalid(`postern.yaml:${place}: this is not UTF-8`));
    });

  it('may hold the character that decoders put for what they cannot read', async () => {
    assert.equal((await load('data: "\uFFFD"\n')).data, '/\uFFFD');
  });

  it('is looked for in vain where there is none, or a directory', async () => {
    await assert.rejects(loadConfiguration('/nonexistent/postern.yaml'), { code: 'not_found' });
    await assert.rejects(loadConfiguration(tmpdir()), { code: 'not_found' });
  });

  it('is where its paths start from', () => {
    const text =
      'data: state\nauth: { wrapping_key: ../keys/w }\nproxy: { web: { certificate: web/chain.pem, key: /k/web.pem } }\n';
    const { configuration } = parseConfiguration(text, '/etc/postern/postern.yaml');
    assert.equal(configuration.data, '/etc/postern/state');
    assert.equal(configuration.auth.wrapping_key, '/etc/keys/w');
    assert.deepEqual(configuration.proxy.web, { certificate: '/etc/postern/web/chain.pem', key: '/k/web.pem' });
  });
});

describe('postern configure', () => {
  const defaults = parseConfiguration('', '/x/postern.yaml').configuration;

  it('writes what means the defaults', () => {
    const { configuration } = parseConfiguration(commentedConfiguration(), '/x/postern.yaml');
    assert.deepEqual(configuration, defaults);
  });

  it('writes the name of the cluster, and nothing else that is not a default', () => {
    const text = commentedConfiguration('access.example.com');
    const { configuration } = parseConfiguration(text, '/x/postern.yaml');
    assert.deepEqual(configuration, { ...defaults, cluster: 'access.example.com' });
  });

  for (const name of ['Access.example.com', 'localhost', 'a.b\nproxy: {}', '"', 'x'.repeat(300)])
    it(`refuses a name that no cluster has: ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.throws(() => commentedConfiguration(name), { code: 'invalid_argument' });
    });
});

describe('the examples of configurations', () => {
  it('are valid', async () => {
    const directory = join(import.meta.dirname, '../../../config/examples');
    const names = (await readdir(directory)).filter((name) => name.endsWith('.yaml'));
    assert.ok(names.length >= 2);
    for (const name of names) await loadConfiguration(join(directory, name));
  });
});
