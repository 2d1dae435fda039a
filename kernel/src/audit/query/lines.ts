import { open, type FileHandle } from 'node:fs/promises';
import { entriesPerFile, journalPath, readJournalFile } from '../log/index.js';

const chunkBytes = 1024 * 1024;
const newline = 0x0a;

/** One line of the journal and its index in the log. */
export interface JournalLine {
  readonly index: number;
  readonly line: Buffer;
}

/** The lines of one file from an index on, in groups. */
export async function* forwards(directory: string, file: number, from: number): AsyncGenerator<JournalLine[]> {
  let index = file * entriesPerFile;
  for await (const { lines } of readJournalFile(directory, file)) {
    const first = index;
    index += lines.length;
    if (index > from) yield lines.map((line, at) => ({ index: first + at, line })).slice(Math.max(0, from - first));
  }
}

/** Where the whole lines of a file end. */
export interface FileEnd {
  readonly lines: number;
  /** The size of the file where absent. */
  readonly bytes?: number;
}

/** The lines of one file below an index, the last one first, in groups. Reads no more of the file than is taken. */
export async function* backwards(
  directory: string,
  file: number,
  { end, below }: { readonly end: FileEnd | undefined; readonly below: number },
): AsyncGenerator<JournalLine[]> {
  const handle = await open(journalPath(directory, file), 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (!handle) return;
  try {
    const { lines: count, bytes = (await handle.stat()).size } = end ?? (await measure(directory, file));
    let index = file * entriesPerFile + count;
    for await (const lines of linesFromEnd(handle, bytes)) {
      const group = lines.map((line) => ({ index: (index -= 1), line }));
      const wanted = group.filter((item) => item.index < below);
      if (wanted.length > 0) yield wanted;
    }
  } finally {
    await handle.close();
  }
}

/** Whole lines of the first `end` bytes, which end in a newline, the last line first. */
async function* linesFromEnd(handle: FileHandle, end: number): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  for (let stop = end; stop > 0;) {
    const start = Math.max(0, stop - chunkBytes);
    const chunk = Buffer.alloc(stop - start);
    await handle.read(chunk, 0, chunk.length, start);
    const bytes = Buffer.concat([chunk, rest]);
    // What stands before the first newline may be the end of a line that begins in the chunk before.
    const first = start > 0 ? bytes.indexOf(newline) + 1 : 0;
    rest = bytes.subarray(0, first);
    const lines = split(bytes.subarray(first));
    if (lines.length > 0) yield lines.reverse();
    stop = start;
  }
}

function split(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(newline, start);
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

async function measure(directory: string, file: number): Promise<FileEnd> {
  const end = { lines: 0, bytes: 0 };
  for await (const { lines } of readJournalFile(directory, file)) {
    end.lines += lines.length;
    end.bytes += lines.reduce((sum, line) => sum + line.length + 1, 0);
  }
  return end;
}
