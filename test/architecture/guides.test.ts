import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PosternError } from '@postern/plugin-sdk';
import { posternProgram, pshProgram, summarize } from '@postern/kernel/cli';
import { resourceDocument } from '@postern/kernel/cluster';
import { DocumentSource, parseConfiguration } from '@postern/kernel/configuration';
import { PluginSet } from '@postern/kernel/plugins';
import { parseRole } from '@postern/kernel/rbac';
import { standardPlugins } from '../../config/src/standard.js';
import { blocksOf, linesOf, type WrittenLine } from './written-lines.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const pages = ['README.md', ...standardPlugins.map(({ protocol }) => `plugins/${protocol.id}/README.md`)].concat(
  readdirSync(join(root, 'docs'))
    // The catalogue is written from the code, and figures have no commands.
    .filter((name) => name.endsWith('.md') && name !== 'events.md')
    .map((name) => `docs/${name}`),
);

const load = async () => standardPlugins;
type Command = ReturnType<typeof pshProgram>;

const programs: Readonly<Record<WrittenLine['program'], () => Command>> = {
  psh: () => pshProgram({ version: '0', program: [], plugins: standardPlugins.map(summarize), load }),
  postern: () =>
    posternProgram({ version: '0', load, demo: async () => Promise.reject(new Error('nothing is started here')) }),
};

/** The real program, which does nothing. */
function idle(program: Command): Command {
  program.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
  program.exitOverride();
  for (const command of program.commands) idle(command).action(() => {});
  return program;
}

/** What a sentence may leave out; groups show their help. */
const unsaid: ReadonlySet<string> = new Set([
  'commander.missingArgument',
  'commander.missingMandatoryOptionValue',
  'commander.optionMissingArgument',
  'commander.help',
  'commander.helpDisplayed',
]);

async function problemOf({ program, args, named }: WrittenLine): Promise<string | undefined> {
  try {
    await idle(programs[program]()).parseAsync([...args], { from: 'user' });
    return undefined;
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (!code.startsWith('commander.')) throw cause;
    return code === 'commander.helpDisplayed' || (named && unsaid.has(code)) ? undefined : message;
  }
}

/** Checks one YAML document by what it is: a role, a resource, or a part of `postern.yaml`. */
async function check(source: DocumentSource, plugins: PluginSet): Promise<string> {
  const value = source.value() as Readonly<Record<string, unknown>>;
  const { kind } = value;
  if (kind === 'role') return parseRole(value, plugins.protocols).name;
  if (typeof kind === 'string' && value['apiVersion'] === undefined) {
    const protocol = plugins.protocols.get(kind);
    assert.ok(protocol, `there is no kind ${kind}`);
    const { name, spec } = source.check(resourceDocument);
    source.checkAt(['spec'], protocol.auth.resource, spec);
    return name;
  }
  return kind === undefined ? 'configuration' : 'foreign';
}

async function pluginsOf(text: string, file: string): Promise<PluginSet> {
  const { configuration, source } = parseConfiguration(text, file);
  return PluginSet.load({
    standard: standardPlugins,
    sections: configuration.plugins,
    source,
    directory: dirname(join(root, file)),
  });
}

describe('what the documents tell people to write and to type', () => {
  let plugins: PluginSet;

  before(async () => {
    plugins = await pluginsOf('', 'postern.yaml');
  });

  for (const page of pages)
    it(`${page} has only commands and options that there are`, async function () {
      this.timeout(60_000);
      const lines = linesOf(read(page));
      const problems: string[] = [];
      for (const line of lines) {
        const problem = await problemOf(line);
        if (problem !== undefined) problems.push(`${line.text}: ${problem}`);
      }
      assert.deepEqual(problems, []);
    });

  it('attack: a command or an option that is not there is found', async () => {
    const wrong = [
      '$ psh logn',
      '$ psh ls --label',
      '$ psh play',
      '$ postern lock add --usr=x',
      'eval "$(psh kube envv prod)"',
    ];
    for (const text of wrong) {
      const [line] = linesOf(`\n\`\`\`console\n${text}\n\`\`\`\n`);
      assert.ok(line && (await problemOf(line)) !== undefined, text);
    }
    const [named] = linesOf('say `psh ls --lable`');
    assert.ok(named && (await problemOf(named)) !== undefined);
  });

  for (const page of pages.filter((name) => name !== 'docs/writing-a-plugin.md'))
    it(`${page} has only YAML that is accepted`, async () => {
      for (const { language, text, line } of blocksOf(read(page))) {
        if (language !== 'yaml') continue;
        const file = `${page}, the block at line ${line}`;
        for (const source of DocumentSource.parse(text, file)) {
          const written = source.value() as Readonly<Record<string, unknown>>;
          // A part of a role or of a resource, as pages of plugins show them.
          if ('allow' in written && written['kind'] === undefined)
            parseRole({ kind: 'role', name: 'part', ...written }, plugins.protocols);
          else if ((await check(source, plugins)) === 'configuration') await pluginsOf(text, file);
        }
      }
    });

  it('every example of a configuration is accepted', async () => {
    const names = readdirSync(join(root, 'config/examples')).filter((name) => name.endsWith('.yaml'));
    assert.ok(names.length > 0);
    for (const name of names) {
      const file = `config/examples/${name}`;
      await pluginsOf(read(file), file);
      const { configuration } = parseConfiguration(read(file), file);
      for (const resource of configuration.agent.resources)
        await check(DocumentSource.parse(JSON.stringify(resource), file)[0] as DocumentSource, plugins);
    }
  });

  it('there is an example of a resource and a role for every kind, and all of them are accepted', async () => {
    const folder = 'config/examples/resources';
    const ids = standardPlugins.map(({ protocol }) => protocol.id).sort();
    assert.deepEqual(
      readdirSync(join(root, folder)).sort(),
      ids.map((id) => `${id}.yaml`),
    );
    for (const id of ids) {
      const kinds = new Set<unknown>();
      for (const source of DocumentSource.parse(read(`${folder}/${id}.yaml`), `${id}.yaml`)) {
        await check(source, plugins);
        kinds.add((source.value() as { readonly kind: string }).kind);
      }
      assert.deepEqual(kinds, new Set([id, 'role']));
    }
  });

  it('attack: an example with a key that is not there is found', async () => {
    const wrong = [
      'kind: postgres\nname: a\nspec: { hots: b }\n',
      'kind: postgres\nname: a\nlables: {}\nspec: { host: b }\n',
      'kind: role\nname: a\nallow: { redis: { labels: { a: b }, verbs: [get] } }\n',
      'kind: postgre\nname: a\n',
    ];
    for (const text of wrong) {
      const [source] = DocumentSource.parse(text, 'x.yaml');
      assert.ok(source);
      await assert.rejects(
        check(source, plugins),
        (cause) => PosternError.is(cause) || cause instanceof assert.AssertionError,
      );
    }
    await assert.rejects(pluginsOf('agent: { secret: {} }', 'x.yaml'));
    await assert.rejects(pluginsOf('plugins: { ssh: { keepalive: 1 } }', 'x.yaml'));
  });

  for (const page of pages)
    it(`${page} links to what there is`, () => {
      const text = read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');
      for (const [, target = '', fragment] of text.matchAll(/\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g)) {
        const path = target === '' ? join(root, page) : join(root, dirname(page), target);
        assert.ok(existsSync(path), `${target} does not exist`);
        if (fragment !== undefined && path.endsWith('.md'))
          assert.ok(anchors(readFileSync(path, 'utf8')).has(fragment), `${target}${fragment} is no heading`);
      }
    });
});

const anchors = (markdown: string): ReadonlySet<string> =>
  new Set(
    [...markdown.matchAll(/^#+ (.+)$/gm)].map(
      ([, heading = '']) =>
        `#${heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} -]/gu, '')
          .replaceAll(' ', '-')}`,
    ),
  );
