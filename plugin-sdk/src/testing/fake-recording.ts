import type { Recording } from '../recording.js';

/** One entry of a recording: what was seen or typed, or a mark. */
export type RecordedEntry =
  | { readonly direction: 'in' | 'out'; readonly data: Buffer }
  | { readonly mark: string; readonly fields: Readonly<Record<string, unknown>> };

/** A recording in memory. */
export class FakeRecording implements Recording {
  readonly entries: RecordedEntry[] = [];
  closed = false;

  constructor(
    readonly kind: string,
    readonly header: Readonly<Record<string, unknown>>,
  ) {}

  write(direction: 'in' | 'out', data: Buffer): void {
    this.entries.push({ direction, data: Buffer.from(data) });
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>): void {
    this.entries.push({ mark: name, fields });
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
