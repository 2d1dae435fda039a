import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';

/** How many entries one file of the journal holds; file `n` begins with entry `n` times this. */
export const entriesPerFile = 65_536;

const newline = 0x0a;
const chunkBytes = 1024 * 1024;
const digits = 9;

/** The folder of the journal below a log's directory. */
export const journalDirectory = (directory: string): string => join(directory, 'events');

/** `events/<n>.jsonl`, n with 9 digits. */
export const journalPath = (directory: string, file: number): string =>
  join(journalDirectory(directory), `${String(file).padStart(digits, '0')}.jsonl`);

/** The numbers of the journal's files, in order. */
export async function journalFiles(directory: string): Promise<number[]> {
  const names = await readdir(journalDirectory(directory)).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw cause;
  });
  const numbers = names.flatMap((name) => (/^[0-9]{9}\.jsonl$/.test(name) ? [Number(name.slice(0, digits))] : []));
  return numbers.sort((left, right) => left - right);
}

/** Lines of a file that end in a newline, in groups, without it; and what follows the last newline. */
export interface JournalChunk {
  readonly lines: readonly Buffer[];
  /** Set in the last group only, and only where the file does not end in a newline. */
  readonly unfinished?: Buffer;
}

/** A longer line is no line of a journal, and is not collected. */
const maxCarryBytes = 4 * chunkBytes;

/**
 * Reads one file of the journal, with bounded memory. A missing file has no
 * lines. Rejects with `limit_exceeded` where the file is not made of lines.
 */
export async function* readJournalFile(directory: string, file: number): AsyncGenerator<JournalChunk> {
  const path = journalPath(directory, file);
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (!handle) return;
  try {
    let carry: Buffer = Buffer.alloc(0);
    for (;;) {
      const target = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await handle.read(target, 0, chunkBytes, null);
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([carry, target.subarray(0, bytesRead)]);
      const lines = completeLines(bytes);
      carry = bytes.subarray(lines.reduce((sum, line) => sum + line.length + 1, 0));
      if (carry.length > maxCarryBytes)
        throw new PosternError('limit_exceeded', `${path} holds a line of more than ${maxCarryBytes} bytes`);
      if (lines.length > 0) yield { lines };
    }
    if (carry.length > 0) yield { lines: [], unfinished: carry };
  } finally {
    await handle.close();
  }
}

function completeLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

/** All lines from entry `from` on, in groups, each with the index of its first line. A torn last line is left out. */
export async function* readJournal(
  directory: string,
  from = 0,
): AsyncGenerator<{ readonly first: number; readonly lines: readonly Buffer[] }> {
  const files = await journalFiles(directory);
  for (const file of files.filter((number) => number >= Math.floor(from / entriesPerFile))) {
    let index = file * entriesPerFile;
    for await (const { lines } of readJournalFile(directory, file)) {
      const skip = Math.max(0, from - index);
      if (skip < lines.length) yield { first: index + skip, lines: lines.slice(skip) };
      index += lines.length;
    }
  }
}
