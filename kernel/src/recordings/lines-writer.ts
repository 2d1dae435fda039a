import { join } from 'node:path';
import type { Hold } from '@postern/plugin-sdk';
import { AppendFile } from './append-file.js';
import type { FormatWriter } from './format-writer.js';

/** A session as JSON lines: `{ ms, mark, … }` for what happened, `{ ms, in | out }` with base64 for raw bytes. */
export class LinesWriter implements FormatWriter {
  private constructor(private readonly lines: AppendFile) {}

  static async create(directory: string): Promise<LinesWriter> {
    return new LinesWriter(await AppendFile.create(join(directory, 'lines.jsonl')));
  }

  get bytes(): number {
    return this.lines.length;
  }

  write(direction: 'in' | 'out', data: Buffer, atMs: number): Hold {
    return this.#append({ ms: atMs, [direction]: data.toString('base64') });
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): Hold {
    return this.#append({ ms: atMs, mark: name, ...fields });
  }

  close(): Promise<void> {
    return this.lines.close();
  }

  #append(value: object): Hold {
    return this.lines.append(Buffer.from(`${JSON.stringify(value)}\n`));
  }
}
