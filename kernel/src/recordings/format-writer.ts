import type { Hold } from '@postern/plugin-sdk';

/** Writes one format's files. Times are milliseconds since the recording's start. */
export interface FormatWriter {
  readonly bytes: number;
  write(direction: 'in' | 'out', data: Buffer, atMs: number): Hold;
  mark(name: string, fields: Readonly<Record<string, unknown>>, atMs: number): Hold;
  close(): Promise<void>;
}
