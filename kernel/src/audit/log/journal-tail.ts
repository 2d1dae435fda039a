import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { replaceFileDurably, syncDirectory } from '../durable-file.js';
import { maxLineBytes, parseRecord } from '../event.js';
import { entriesPerFile, journalFiles, journalPath, readJournalFile } from './journal-files.js';

/** What a start changed behind the signed part of a journal. */
export interface TailRepair {
  /** Bytes that were no events, and which file below the log's directory keeps them now. */
  readonly quarantined?: { readonly file: string; readonly bytes: number };
  /** Lines that are no events and stay where they are, since events follow them. */
  readonly unreadable: number;
}

interface Tail {
  /** Where the last event ends, in bytes. */
  goodEnd: number;
  bytes: number;
  unreadable: number;
  /** Unreadable lines behind the last event. */
  trailing: number;
  /** True where the last event lacks only its newline. */
  lacksNewline: boolean;
  /** The index behind the last line that has its newline. */
  end: number;
}

/**
 * Deals with what a crash may have left behind the last acknowledged line: a
 * line without its newline is completed where it is an event; bytes at the end
 * that are no events are moved to quarantine. Unreadable lines that events
 * follow are kept: they become entries that say nothing.
 */
export async function repairTail(directory: string, signed: number): Promise<TailRepair> {
  const files = await journalFiles(directory);
  let unreadable = 0;
  for (const file of files.filter((number) => number >= Math.floor(signed / entriesPerFile))) {
    const tail = await examine(directory, file, signed);
    // What is signed is evidence, also where it is damaged: it is not repaired here.
    if (tail.end < Math.min(signed, (file + 1) * entriesPerFile))
      throw new PosternError('conflict', `${journalPath(directory, file)} has lost events that are signed`);
    unreadable += tail.unreadable;
    if (tail.lacksNewline) await appendNewline(directory, file);
    const end = tail.goodEnd + (tail.lacksNewline ? 1 : 0);
    if (tail.bytes <= end) continue;
    if (file !== files.at(-1))
      throw new PosternError('conflict', `${journalPath(directory, file)} is damaged, and other files follow it`);
    return { unreadable: unreadable - tail.trailing, quarantined: await moveAside(directory, file, tail.goodEnd) };
  }
  return { unreadable };
}

async function examine(directory: string, file: number, signed: number): Promise<Tail> {
  const tail: Tail = { goodEnd: 0, bytes: 0, unreadable: 0, trailing: 0, lacksNewline: false, end: 0 };
  let index = file * entriesPerFile;
  let mayContinue = true;
  const take = (line: Buffer): void => {
    const good = index < signed || isEvent(line);
    mayContinue &&= good || line.length <= maxLineBytes;
    tail.unreadable += good ? 0 : 1;
    tail.trailing = good ? 0 : tail.trailing + 1;
    if (good && mayContinue) tail.goodEnd = tail.bytes;
    index += 1;
  };
  for await (const { lines, unfinished } of readJournalFile(directory, file)) {
    for (const line of lines) {
      tail.bytes += line.length + 1;
      take(line);
    }
    if (!unfinished) continue;
    tail.bytes += unfinished.length;
    tail.lacksNewline = mayContinue && index >= signed && isEvent(unfinished);
    if (tail.lacksNewline) tail.goodEnd = tail.bytes;
  }
  return { ...tail, end: index };
}

function isEvent(line: Buffer): boolean {
  try {
    parseRecord(line);
    return true;
  } catch {
    return false;
  }
}

async function appendNewline(directory: string, file: number): Promise<void> {
  const handle = await open(journalPath(directory, file), 'a');
  try {
    await handle.appendFile('\n');
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function moveAside(directory: string, file: number, from: number): Promise<{ file: string; bytes: number }> {
  const name = join('quarantine', `${file}-${from}`);
  const handle = await open(journalPath(directory, file), 'r+');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(size - from);
    await handle.read(bytes, 0, bytes.length, from);
    await mkdir(join(directory, 'quarantine'), { recursive: true, mode: 0o700 });
    await replaceFileDurably(join(directory, name), bytes);
    await syncDirectory(directory);
    await handle.truncate(from);
    await handle.sync();
    return { file: name, bytes: bytes.length };
  } finally {
    await handle.close();
  }
}
