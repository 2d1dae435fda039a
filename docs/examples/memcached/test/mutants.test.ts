import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from '@postern/plugin-sdk';
import { checkConformance } from '@postern/plugin-sdk/testing';
import ts from 'typescript';
import { harness } from './harness.js';

/** A mistake that somebody could make in this plugin, and the check that must find it. */
interface Mutant {
  readonly mistake: string;
  readonly find: string;
  readonly replace: string;
  readonly check: string;
}

const mutants: readonly Mutant[] = [
  {
    mistake: 'forgets to ask for a command',
    find: 'await grant.require({ verb });',
    replace: '',
    check: 'lets nothing forbidden reach the resource',
  },
  {
    mistake: 'does not wait for the decision',
    find: 'await grant.require({ verb });',
    replace: 'void grant.require({ verb });',
    check: 'lets nothing forbidden reach the resource',
  },
  {
    mistake: 'does not wait for the event',
    find: 'await this.context.audit.emit',
    replace: 'void this.context.audit.emit',
    check: 'lets nothing happen before its event is recorded',
  },
  {
    mistake: 'emits the event after the command',
    find: `await this.context.audit.emit('command', { verb, line });`,
    replace: `setImmediate(() => { try { void this.context.audit.emit('command', { verb, line }); } catch {} });`,
    check: 'lets nothing happen before its event is recorded',
  },
  {
    mistake: 'permits everything',
    find: 'permits: ({ verbs }, { verb }) => (verb === undefined ? verbs.length > 0 : verbs.some((one) => one === verb)),',
    replace: 'permits: () => true,',
    check: 'permits and forbids nothing by default',
  },
  {
    mistake: 'knows exceptions',
    find: 'permits: ({ verbs }, { verb }) => (',
    replace: `permits: ({ verbs }, { verb }) => !verbs.includes('delete') && (`,
    check: 'permits no less for a longer list',
  },
  {
    mistake: 'ignores what a role denies',
    find: 'forbids: ({ verbs }, { verb }) => verbs.some((one) => one === verb),',
    replace: 'forbids: () => false,',
    check: 'decides by the words of a role alone',
  },
  {
    mistake: 'does not classify a field',
    find: 'verb: field.public(z.string()),',
    replace: 'verb: z.string(),',
    check: 'classifies every audited field',
  },
  {
    mistake: 'refuses in silence',
    find: 'await write(stream, `SERVER_ERROR ${message}\\r\\n`);',
    replace: 'void stream; void message;',
    check: 'tells a client why it may not enter',
  },
  {
    mistake: 'drops the data of a command',
    find: 'if (!this.#block.dropped) onward.push(data);',
    replace: '',
    check: 'holds a conversation',
  },
  {
    mistake: 'expects a command in each chunk',
    find: 'Buffer.concat([this.#unfinished, chunk])',
    replace: 'chunk',
    check: 'understands the same however the network splits the bytes',
  },
  {
    mistake: 'shares its state among sessions',
    find: '#unfinished = Buffer.alloc(0);',
    replace: `static line = Buffer.alloc(0); get #unfinished() { return MemcachedSession.line; }
      set #unfinished(line) { MemcachedSession.line = line; }`,
    check: 'holds fifty conversations at once and mixes none up',
  },
  {
    mistake: 'hangs up on the resource together with its client',
    find: 'const { signal } = this.context;',
    replace: `const { signal } = this.context; const dial = grant.dial.bind(grant); grant = Object.create(grant, { dial: { value: async () => {
      const upstream = await dial(); stream.once('end', () => upstream.destroy()); return upstream; } } });`,
    check: 'answers a client that has ended its half',
  },
  {
    mistake: 'never returns',
    find: 'await relay(',
    replace: 'setImmediate(() => {}); await new Promise(() => {}); await relay(',
    check: 'ends within a second when it is told to',
  },
  {
    mistake: 'does not listen to the signal',
    find: '{ signal, fromClient',
    replace: '{ fromClient',
    check: 'ends within a second when it is told to',
  },
  {
    mistake: 'does not notice that its client has gone',
    find: 'await relay(',
    replace:
      'stream.on("close", () => {}); await Promise.race([new Promise((resolve) => signal.addEventListener("abort", resolve)), new Promise(() => {})]); await relay(',
    check: 'ends when its client vanishes',
  },
  {
    mistake: 'leaves a timer behind',
    find: 'const { signal } = this.context;',
    replace: 'const { signal } = this.context; setTimeout(() => {}, 3000);',
    check: 'leaves nothing behind when it is unloaded',
  },
  {
    mistake: 'lets an error go unhandled',
    find: 'if (!LINE.test(line)',
    replace: 'if (!LINE.test(line)) void Promise.reject(new Error("what is this?")); if (!LINE.test(line)',
    check: 'survives forty damaged conversations',
  },
  {
    mistake: 'believes every size',
    find: '([0-9]{1,9})(?: noreply)',
    replace: '([0-9]+)(?: noreply)',
    check: 'refuses a frame that announces 4 GiB',
  },
  {
    mistake: 'logs a secret',
    find: 'const { signal } = this.context;',
    replace: `const { signal } = this.context; this.context.log.info('using ' + (await grant.credentials.secret('password')));`,
    check: 'keeps secrets to itself',
  },
  {
    mistake: 'writes whether its client reads or not',
    find: '{ signal, fromClient',
    replace: '{ signal, fromUpstream: (chunk) => { stream.write(chunk); return Buffer.alloc(0); }, fromClient',
    check: 'reads no faster than its client',
  },
  {
    mistake: 'collects what the resource does not read',
    find: 'await relay(stream, await grant.dial(), { signal, fromClient: (chunk) => this.#commands(chunk, grant) });',
    replace: `const upstream = await grant.dial(); void signal; void relay;
      stream.on('data', (chunk) => void this.#commands(chunk, grant).then((onward) => upstream.write(onward)));
      stream.once('end', () => upstream.end()); upstream.pipe(stream);
      await new Promise((resolve) => upstream.once('close', resolve));`,
    check: 'reads no faster than the resource',
  },
  {
    mistake: 'takes any answer for health',
    find: 'const stream = await context.dial();',
    replace: 'const stream = await context.dial().catch(() => undefined); if (!stream) return { ok: true };',
    check: 'calls a resource unreachable that nobody answers for',
  },
  {
    mistake: 'passes a key in the arguments',
    find: `'-key', files.key`,
    replace: `'-key', process.getBuiltinModule('node:fs').readFileSync(files.key, 'utf8')`,
    check: 'describes the native client without effects, and no secret in its arguments',
  },
];

/** Mistakes are found by answers that do not come. */
const impatient = { ...harness, patienceMs: 500 };
const source = await readFile(new URL('../src/index.ts', import.meta.url), 'utf8');

/** The plugin with one mistake in it. */
async function mutated({ find, replace }: Mutant): Promise<Plugin> {
  assert.equal(source.split(find).length, 2, `the source does not contain exactly once: ${find}`);
  const directory = await mkdtemp(join(tmpdir(), 'postern-mutant-'));
  try {
    const { outputText } = ts.transpileModule(
      source.replace(find, () => replace),
      {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, experimentalDecorators: true },
      },
    );
    const file = join(directory, 'index.mjs');
    await writeFile(
      file,
      outputText.replaceAll(
        /from '(@postern\/plugin-sdk|zod)'/g,
        (_, name: string) => `from '${import.meta.resolve(name)}'`,
      ),
    );
    return ((await import(pathToFileURL(file).href)) as { readonly default: Plugin }).default;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe('the conformance kit', function () {
  this.timeout(120_000);

  for (const mutant of mutants)
    it(`finds a plugin that ${mutant.mistake}`, async () => {
      const all = process.env['POSTERN_TEST_FULL'] === '1';
      const results = await checkConformance(await mutated(mutant), impatient, all ? undefined : [mutant.check]);
      const failed = results.filter(({ failure }) => failure).map(({ name }) => name);
      assert.ok(failed.includes(mutant.check), `it failed only: ${failed.join(', ') || 'nothing'}`);
    });

  it('passes the plugin that has no mistake', async () => {
    const results = await checkConformance(
      await mutated({ mistake: 'is right', find: 'const stream =', replace: 'const stream =', check: '' }),
      harness,
    );
    assert.deepEqual(
      results.filter(({ failure }) => failure),
      [],
    );
  });
});
