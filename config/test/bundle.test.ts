import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { summaries } from '../src/summaries.js';
import { binary, build, run } from './support/programs.js';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const env = { ...process.env, POSTERN_HOME: '/nonexistent' };
const options = { cwd: '/', env };

/** The text of a chunk and of everything that it imports at once. */
async function loadedWith(file: string, seen = new Map<string, string>()): Promise<string> {
  if (seen.has(file)) return '';
  seen.set(file, await readFile(join(dist, file), 'utf8'));
  const imports = [...(seen.get(file) ?? '').matchAll(/\bimport\s*(?:[\w*{][^"'()]*?from\s*)?["']\.\/([^"']+)["']/g)];
  for (const [, name = ''] of imports) await loadedWith(name, seen);
  return [...seen.values()].join('\n');
}

describe('the bundled programs', function () {
  this.timeout(60_000);
  before(build);

  it('load little before they know what is wanted, so that help and connections come at once', async () => {
    const files = await readdir(dist);
    const chunk = files.find((name) => /^proxy-stdio-.*\.js$/.test(name)) ?? '';
    const quick = await readFile(join(dist, 'quick.cjs'), 'utf8');
    assert.ok(quick.length < 50_000, `quick.cjs is ${quick.length} bytes`);
    assert.doesNotMatch(quick, /ZodError|class Command\b|class Hono/);
    for (const file of ['psh.js', 'postern.js', chunk]) {
      const text = await loadedWith(file);
      assert.ok(text.length < 150_000, `${file} loads ${text.length} bytes`);
      assert.doesNotMatch(text, /ZodError|@photostructure\/sqlite|class Hono/, file);
    }
  });

  it('know the commands of the plugins without loading one', async () => {
    const { stdout } = await run(process.execPath, [binary('psh'), '--help'], options);
    for (const { noun, commands } of summaries)
      for (const { name } of commands) {
        const help =
          noun === undefined ? stdout : (await run(process.execPath, [binary('psh'), noun, '--help'], options)).stdout;
        assert.match(help, new RegExp(`^  ${name} `, 'm'));
      }
    for (const noun of summaries.flatMap((one) => one.noun ?? [])) assert.match(stdout, new RegExp(`^  ${noun} `, 'm'));
  });

  it('run through links, from anywhere', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postern-bin-'));
    try {
      await symlink(binary('psh'), join(directory, 'psh'));
      const { code, stdout } = await run(join(directory, 'psh'), ['--version'], options);
      assert.deepEqual([code, stdout], [0, '0.1.0\n']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('end quietly when their reader has had enough', async () => {
    const command = `"${process.execPath}" "${binary('psh')}" completion bash | head -c 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await run('bash', ['-c', command], options);
    assert.deepEqual([stdout, stderr], ['#0\n', '']);
  });

  const usage = [
    { args: ['lss'], want: /unknown command 'lss'\n\(Did you mean ls\?\)/ },
    { args: ['ls', '--fromat', 'json'], want: /unknown option '--fromat'\n\(Did you mean --format\?\)/ },
    { args: ['ls', '--format=xml'], want: /Allowed choices are table, json, yaml/ },
    { args: ['play'], want: /missing required argument 'session'/ },
    { args: ['login', '--ttl=soon'], want: /write a time such as 90s/ },
    { args: ['proxy', 'nothing', 'x'], want: /there is no kind nothing/ },
    { args: ['completion', 'tcsh'], want: /bash, zsh or fish/ },
    { args: ['accept', 'https://example.com/x'], want: /this is no invitation/ },
  ];
  for (const { args, want } of usage)
    it(`psh ${args.join(' ')} is a mistake of usage`, async () => {
      const { code, stdout, stderr } = await run(process.execPath, [binary('psh'), ...args], options);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^psh: /);
      assert.match(stderr, want);
      assert.doesNotMatch(stderr, /^ +at /m);
    });

  for (const program of ['psh', 'postern'] as const) {
    it(`${program} completes in bash`, async () => {
      const group = program === 'psh' ? 'recordings' : 'users';
      const script = `source <("${process.execPath}" "${binary(program)}" completion bash)
        COMP_WORDS=(${program} ${group} --format x ''); COMP_CWORD=4; _${program}; echo "\${COMPREPLY[*]}"
        COMP_WORDS=(${program} st); COMP_CWORD=1; _${program}; echo "\${COMPREPLY[*]}"`;
      const { code, stdout, stderr } = await run('bash', ['-c', script], options);
      assert.equal(code, 0, stderr);
      const [inGroup = '', first = ''] = stdout.split('\n');
      assert.ok(inGroup.split(' ').includes('ls'), inGroup);
      assert.ok(first.split(' ').includes('status'), first);
    });

    for (const shell of ['zsh', 'fish'])
      it(`${program} has a script for ${shell} that names its commands`, async () => {
        const { code, stdout } = await run(process.execPath, [binary(program), 'completion', shell], options);
        assert.equal(code, 0);
        for (const word of ['status', 'recordings', '--format'.slice(shell === 'fish' ? 2 : 0)])
          assert.ok(stdout.includes(word), word);
      });
  }

  it('say where a stack came from only when asked', async () => {
    const file = join(tmpdir(), `postern-${process.pid}.yaml`);
    await writeFile(file, '{');
    try {
      const args = [binary('postern'), 'check', file];
      assert.doesNotMatch((await run(process.execPath, args, options)).stderr, /\n +at /);
      const debug = await run(process.execPath, args, { ...options, env: { ...env, POSTERN_DEBUG: '1' } });
      assert.match(debug.stderr, /\n +at /);
    } finally {
      await rm(file);
    }
  });
});
