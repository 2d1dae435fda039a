import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';

class Skipped extends Error {}

describe('needProgram', () => {
  const context = {
    skip(): never {
      throw new Skipped();
    },
  };
  const names = ['CI', 'PATH', 'POSTERN_OPTIONAL_PROGRAMS', 'POSTERN_SKIP_LOG'];
  let before: Record<string, string | undefined>;
  let folder: string;
  let said: string;
  const write = process.stderr.write.bind(process.stderr);

  beforeEach(() => {
    before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
    for (const name of names.filter((one) => one !== 'PATH')) delete process.env[name];
    folder = mkdtempSync(join(tmpdir(), 'postern-programs-'));
    process.env['POSTERN_SKIP_LOG'] = join(folder, 'skips');
    said = '';
    process.stderr.write = (text: string | Uint8Array) => (said += String(text)).length > 0;
  });

  afterEach(() => {
    process.stderr.write = write;
    for (const [name, value] of Object.entries(before))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    rmSync(folder, { recursive: true });
  });

  it('finds a program on the PATH, and system programs beside it', () => {
    assert.equal(needProgram(context, 'sh', 'dash'), findProgram('sh'));
    process.env['PATH'] = '';
    assert.equal(findProgram('node-that-is-not-there'), undefined);
  });

  it('does not take a folder or a plain file for a program', () => {
    process.env['PATH'] = tmpdir();
    assert.equal(findProgram(folder.slice(tmpdir().length + 1)), undefined);
  });

  it('skips loudly where the program is missing, and leaves a line for the summary', () => {
    assert.throws(() => needProgram(context, 'no-such-program', 'no-such-package'), Skipped);
    assert.throws(() => needProgram(context, 'nor-this-one', 'another'), Skipped);
    assert.match(said, /skipped: no-such-program is not installed: apt-get install no-such-package/);
    const lines = readFileSync(join(folder, 'skips'), 'utf8').trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      [
        { program: 'no-such-program', package: 'no-such-package' },
        { program: 'nor-this-one', package: 'another' },
      ],
    );
  });

  it('fails in CI instead', () => {
    process.env['CI'] = 'true';
    assert.throws(() => needProgram(context, 'no-such-program', 'p'), /no-such-program is not installed/);
    process.env['POSTERN_OPTIONAL_PROGRAMS'] = 'other,no-such-program';
    assert.throws(() => needProgram(context, 'no-such-program', 'p'), Skipped);
  });

  it('does not run a test without its program where skipping does not throw', () => {
    assert.throws(() => needProgram({ skip: () => undefined }, 'no-such-program', 'p'), /not installed/);
  });
});
