import assert from 'node:assert/strict';
import { appendFile, copyFile, cp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import type { AuditRecord, EventDraft } from '../../src/audit/event.js';
import { AuditLog } from '../../src/audit/log/index.js';
import { verifyLog } from '../../src/audit/verify/index.js';
import { cluster, codeIs, Folder, instance, keysFor, openLog, Stream, type Keys } from './support.js';

const journal = (folder: Folder): string => folder.in('events', '000000000.jsonl');

interface Prepared {
  readonly keys: Keys;
  readonly stream: Stream;
  readonly records: AuditRecord[];
}

/** A closed log of 300 signed events, and behind them, in the journal only, so many more. */
async function prepare(folder: Folder, unsigned = 0): Promise<Prepared> {
  const prepared = { keys: keysFor(), stream: new Stream('agent-1'), records: [] as AuditRecord[] };
  {
    await using log = await openLog({ directory: folder.path, keys: prepared.keys });
    prepared.records.push(...prepared.stream.many(300));
    await log.append(prepared.records);
  }
  const more = prepared.stream.many(unsigned);
  prepared.records.push(...more);
  for (const { line } of more) await appendFile(journal(folder), `${line.toString()}\n`);
  return prepared;
}

/** Opens and closes the log, and returns what it said and what verification says then. */
async function reopen(folder: Folder, { keys }: Prepared, more: readonly AuditRecord[] = []) {
  const notices: EventDraft[] = [];
  let size: number;
  {
    await using log = await openLog({ directory: folder.path, keys, notices });
    await log.append(more);
    size = log.size;
  }
  return { size, notices, report: await verifyLog({ directory: folder.path, keys: [keys.verifier] }) };
}

describe('a log after a crash', () => {
  for (const unsigned of [1, 211, 212, 213, 700])
    it(`signs the ${unsigned} events that its journal has behind the checkpoint`, async () => {
      await using folder = await Folder.make();
      const prepared = await prepare(folder, unsigned);
      const { size, report, notices } = await reopen(folder, prepared, prepared.stream.many(3));
      assert.deepEqual([size, report.size, report.ok], [303 + unsigned, 303 + unsigned, true]);
      assert.deepEqual([notices, report.notices], [[], []]);
    });

  it('cuts a line whose writing was cut short, at whatever byte', async () => {
    await using folder = await Folder.make();
    const prepared = await prepare(folder, 2);
    const whole = await readFile(journal(folder));
    const last = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    await using copy = await Folder.make();
    await cp(folder.path, copy.path, { recursive: true });
    for (let cut = last + 1; cut < whole.length - 1; cut += 41) {
      await rm(folder.path, { recursive: true });
      await cp(copy.path, folder.path, { recursive: true });
      await truncate(journal(folder), cut);
      const { size, report } = await reopen(folder, prepared, prepared.records.slice(301));
      assert.deepEqual([size, report.ok], [302, true], `cut at ${cut}`);
    }
  });

  it('completes a line that lacks only its newline', async () => {
    await using folder = await Folder.make();
    const prepared = await prepare(folder, 2);
    await truncate(journal(folder), (await stat(journal(folder))).size - 1);
    const { size, report, notices } = await reopen(folder, prepared, prepared.records.slice(300));
    assert.deepEqual([size, report.ok, notices.length], [302, true, 0]);
  });

  for (const [name, bytes] of [
    ['zeroes', Buffer.alloc(5000)],
    ['garbage', Buffer.from('one\ntwo\nthree')],
    ['a line longer than any event', Buffer.from(`${'x'.repeat(70_000)}\n`)],
  ] as const)
    it(`moves ${name} at the end to quarantine and says so`, async () => {
      await using folder = await Folder.make();
      const prepared = await prepare(folder, 2);
      const end = (await stat(journal(folder))).size;
      await appendFile(journal(folder), bytes);
      const { size, report, notices } = await reopen(folder, prepared, prepared.stream.many(1));
      assert.deepEqual([size, report.ok, report.notices.length], [303, true, 0]);
      assert.deepEqual(
        notices.map(({ type, fields }) => [type, fields]),
        [['audit.repaired', { file: `quarantine/0-${end}`, bytes: bytes.length, unreadable: 0, rebuilt: false }]],
      );
      assert.deepEqual(await readFile(folder.in('quarantine', `0-${end}`)), bytes);
    });

  it('keeps an unreadable line that events follow: nothing that was acknowledged may go', async () => {
    await using folder = await Folder.make();
    const prepared = await prepare(folder, 1);
    const [last] = prepared.stream.next('last');
    await appendFile(journal(folder), `no event\n${last?.line.toString()}\n`);
    const { size, report, notices } = await reopen(folder, prepared);
    assert.deepEqual([size, report.ok, notices[0]?.fields['unreadable']], [303, true, 1]);
    assert.deepEqual(
      report.notices.map(({ kind, at }) => [kind, at]),
      [['unreadable', 'entry 301']],
    );
  });

  for (const [name, lose] of [
    ['all tiles are lost', (folder: Folder) => rm(folder.in('tile'), { recursive: true })],
    ['a tile at the edge is lost', (folder: Folder) => rm(folder.in('tile/0/001.p/44'))],
    ['a tile at the edge is empty', (folder: Folder) => truncate(folder.in('tile/1/000.p/1'))],
    ['the bundle at the edge is lost', (folder: Folder) => rm(folder.in('tile/entries/001.p'), { recursive: true })],
  ] as const)
    it(`writes its tiles again from the journal where ${name}`, async () => {
      await using folder = await Folder.make();
      const prepared = await prepare(folder, 5);
      await lose(folder);
      const { report } = await reopen(folder, prepared);
      assert.deepEqual([report.ok, report.size, report.problems], [true, 305, []]);
    });

  it('ignores what an unfinished write of a tile or a checkpoint left', async () => {
    await using folder = await Folder.make();
    const prepared = await prepare(folder, 5);
    await writeFile(folder.in('checkpoint.tmp'), 'half');
    await writeFile(folder.in('tile', '0', '000.tmp'), 'half');
    const { report } = await reopen(folder, prepared);
    assert.deepEqual([report.ok, report.notices], [true, []]);
  });

  it('finds its tiles written ahead of the checkpoint', async () => {
    await using folder = await Folder.make();
    const prepared = await prepare(folder);
    await copyFile(folder.in('checkpoint'), folder.in('kept'));
    await reopen(folder, prepared, prepared.stream.many(400));
    await copyFile(folder.in('kept'), folder.in('checkpoint'));
    const before = await verifyLog({ directory: folder.path, keys: [prepared.keys.verifier] });
    assert.deepEqual([before.ok, before.size], [true, 300]);
    assert.deepEqual(
      before.notices.map(({ kind }) => kind),
      ['unsigned'],
    );
    const { report } = await reopen(folder, prepared);
    assert.deepEqual([report.ok, report.size], [true, 700]);
  });
});

describe('a log that is not what its checkpoint signs', () => {
  const attacks = [
    [
      'lost its last line',
      async (folder: Folder) => truncate(journal(folder), (await stat(journal(folder))).size - 400),
    ],
    ['lost its last byte', async (folder: Folder) => truncate(journal(folder), (await stat(journal(folder))).size - 1)],
    ['lost its journal', async (folder: Folder) => rm(folder.in('events'), { recursive: true })],
    ['has another last line', async (folder: Folder) => rewrite(folder, (lines) => lines.with(299, lines[0] ?? ''))],
    ['has two lines exchanged', async (folder: Folder) => rewrite(folder, exchange(270, 271))],
    ['has no checkpoint', async (folder: Folder) => rm(folder.in('checkpoint'))],
  ] as const;

  const exchange =
    (left: number, right: number) =>
    (lines: string[]): string[] =>
      lines.with(left, lines[right] ?? '').with(right, lines[left] ?? '');

  async function rewrite(folder: Folder, change: (lines: string[]) => string[]): Promise<void> {
    const lines = (await readFile(journal(folder), 'utf8')).split('\n');
    await writeFile(journal(folder), change(lines).join('\n'));
  }

  for (const [name, attack] of attacks)
    it(`because it ${name} is not continued, and stays as it is for whoever examines it`, async () => {
      await using folder = await Folder.make();
      const { keys } = await prepare(folder);
      await attack(folder);
      const state = await snapshot(folder);
      await assert.rejects(openLog({ directory: folder.path, keys }), codeIs('conflict'));
      assert.deepEqual(await snapshot(folder), state);
    });

  /** Every file and its content, without the folders that opening may make. */
  async function snapshot(folder: Folder): Promise<Map<string, string>> {
    const files = new Map<string, string>();
    for (const item of await readdir(folder.path, { recursive: true, withFileTypes: true }))
      if (item.isFile())
        files.set(`${item.parentPath}/${item.name}`, await readFile(`${item.parentPath}/${item.name}`, 'hex'));
    return files;
  }
});

describe('a log whose key was rotated', () => {
  const open = (folder: Folder, keys: Keys, trusted: readonly Keys[]): Promise<AuditLog> =>
    AuditLog.open({
      directory: folder.path,
      cluster,
      instance,
      signer: keys.signer,
      trusted: trusted.map(({ verifier }) => verifier),
      onNotice: () => undefined,
    });

  it('is continued under the new key where the old one is trusted, and not elsewhere', async () => {
    await using folder = await Folder.make();
    const old = await prepare(folder);
    const rotated = keysFor();
    await assert.rejects(open(folder, rotated, []), codeIs('unauthenticated'));
    {
      await using log = await open(folder, rotated, [old.keys]);
      await log.append(old.stream.many(5));
    }
    const report = await verifyLog({ directory: folder.path, keys: [rotated.verifier, old.keys.verifier] });
    assert.deepEqual([report.ok, report.size], [true, 305]);
  });

  it('of another instance is not continued', async () => {
    await using folder = await Folder.make();
    const { keys } = await prepare(folder);
    const other = { cluster, instance: 'auth-2', signer: keys.signer, onNotice: () => undefined };
    await assert.rejects(AuditLog.open({ directory: folder.path, ...other }), codeIs('unauthenticated'));
  });
});
