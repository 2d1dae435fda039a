import type { Hold } from '@postern/plugin-sdk';
import type { AppendFile } from './append-file.js';

/** Writes one format's files. Times are milliseconds since the recording's start. */
export interface FormatWriter {
  readonly bytes: number;
  /** All data files of the recording. */
  readonly files: readonly AppendFile[];
  write(direction: 'in' | 'out', data: Buffer, atMs: number): Hold;
  mark(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): Hold;
  close(): Promise<void>;
}
