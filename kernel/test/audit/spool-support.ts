import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import type { AuditRecord } from '../../src/audit/event.js';
import type { Spool } from '../../src/audit/spool/index.js';
import { draft, sealer, type Folder } from './support.js';

export const put = (spool: Spool, verb: string): number => {
  const position = spool.append(sealer().seal(draft(verb)));
  assert.ok(typeof position === 'number', 'the event was not held');
  return position;
};

export async function readAll(spool: Spool, events = 1000): Promise<AuditRecord[]> {
  await using reader = spool.reader();
  const records: AuditRecord[] = [];
  for (;;) {
    await spool.flush();
    const batch = await reader.read({ events, bytes: 1e6 });
    if (batch.length === 0) return records;
    records.push(...batch);
  }
}

export const sequences = (records: readonly AuditRecord[]): number[] => records.map(({ event }) => event.sequence);
export const verbs = (records: readonly AuditRecord[]): unknown[] => records.map(({ event }) => event.fields['verb']);

export const segments = async (folder: Folder): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => name.endsWith('.seg')).sort();
