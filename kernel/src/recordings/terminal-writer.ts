import { join } from 'node:path';
import type { Hold } from '@postern/plugin-sdk';
import { AppendFile } from './append-file.js';
import type { FormatWriter } from './format-writer.js';
import { markLine } from './recorded-line.js';

/**
 * A terminal session as three plain files: `output`, which `cat` shows after a
 * first line like that of script(1); `timing`, one line "seconds bytes" to a
 * chunk, which scriptreplay(1) plays; and `marks.jsonl` with what is not
 * output, such as a change of the window's size.
 *
 * Output is written before its timing, so that after a crash the output can be
 * longer than its timing, and never shorter.
 */
export class TerminalWriter implements FormatWriter {
  #lastMs = 0;

  private constructor(
    private readonly output: AppendFile,
    private readonly timing: AppendFile,
    private readonly marks: AppendFile,
  ) {}

  static async create(directory: string, started: Date): Promise<TerminalWriter> {
    const made: AppendFile[] = [];
    const create = async (name: string): Promise<AppendFile> => {
      const file = await AppendFile.create(join(directory, name), made[0]);
      made.push(file);
      return file;
    };
    try {
      const writer = new TerminalWriter(await create('output'), await create('timing'), await create('marks.jsonl'));
      await writer.output.append(`Script started on ${started.toISOString()}\n`);
      return writer;
    } catch (cause) {
      await Promise.allSettled(made.map((file) => file.close()));
      throw cause;
    }
  }

  get files(): readonly AppendFile[] {
    return [this.output, this.timing, this.marks];
  }

  get bytes(): number {
    return this.output.length;
  }

  write(direction: 'in' | 'out', data: Buffer, atMs: number): Hold {
    if (direction === 'in') return this.mark('input', { data: data.toString('base64') }, atMs);
    const delay = (Math.max(0, atMs - this.#lastMs) / 1000).toFixed(6);
    this.#lastMs = Math.max(this.#lastMs, atMs);
    // The caller may reuse its buffer as soon as this returns.
    return both(this.output.append(Buffer.from(data)), this.timing.append(`${delay} ${data.length}\n`));
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): Hold {
    return this.marks.append(markLine(name, fields, atMs));
  }

  async close(): Promise<void> {
    const closed = this.files.map((file) => file.close());
    await Promise.allSettled(closed);
    await Promise.all(closed);
  }
}

function both(a: Hold, b: Hold): Hold {
  if (a === undefined) return b;
  return b === undefined ? a : Promise.all([a, b]).then(() => {});
}
