import { join } from 'node:path';
import type { Hold } from '@postern/plugin-sdk';
import { AppendFile } from './append-file.js';
import type { FormatWriter } from './format-writer.js';
import { markLine, packetLine } from './recorded-line.js';

/** A session as JSON lines: `{ ms, mark, … }` for what happened, `{ ms, in | out }` with base64 for raw bytes. */
export class LinesWriter implements FormatWriter {
  private constructor(private readonly lines: AppendFile) {}

  static async create(directory: string): Promise<LinesWriter> {
    return new LinesWriter(await AppendFile.create(join(directory, 'lines.jsonl')));
  }

  get files(): readonly AppendFile[] {
    return [this.lines];
  }

  get bytes(): number {
    return this.lines.length;
  }

  write(direction: 'in' | 'out', data: Buffer, atMs: number): Hold {
    return this.lines.append(packetLine(direction, data, atMs));
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): Hold {
    return this.lines.append(markLine(name, fields, atMs));
  }

  close(): Promise<void> {
    return this.lines.close();
  }
}
