import type { RecordingFormat } from './recording.js';

/** One line of a recording in the format `lines` or `packets`. */
export type RecordedEntry = {
  /** Since the recording's start. */
  readonly ms: number;
  /** What {@link Recording.mark} named, with its fields beside it. */
  readonly mark?: string;
  /** What {@link Recording.write} took, in base64. */
  readonly in?: string;
  readonly out?: string;
} & Readonly<Record<string, unknown>>;

/** A recording as it is stored, for those who show it. */
export interface RecordedSession {
  /** The kind, by its name in the protocol's declaration. */
  readonly kind: string;
  readonly format: RecordingFormat;
  readonly durationMs: number;
  /** What the session gave {@link SessionContext.record}. */
  readonly header: Readonly<Record<string, unknown>>;
  /** In their order. Each call reads from the beginning. */
  entries(): AsyncIterable<RecordedEntry>;
}

export interface ExportOptions {
  /** The moment that a picture shows, in milliseconds since the start; the end by default. */
  readonly atMs?: number;
  /** The file to write. Overwritten where it exists. */
  readonly file: string;
  readonly signal: AbortSignal;
  /** How far the work has come, from 0 to 1. */
  progress(done: number): void;
}

/** One form in which a recording can leave the cluster. */
export interface Exporter {
  /** For help texts: `PNG picture of one moment`. */
  readonly title: string;
  export(session: RecordedSession, options: ExportOptions): Promise<void>;
}

/** The half that shows recordings to people. It runs in the user's program. */
export interface PlayerModule {
  /** One entry as a line of text; undefined for one that is not worth a line. A default shows its fields. */
  line?(entry: RecordedEntry): string | undefined;
  /** By the name that users write: `png`, `mp4`, `har`. */
  readonly exports?: Readonly<Record<string, Exporter>>;
}
