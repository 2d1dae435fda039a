import type { Readable } from 'node:stream';
import type { Recording } from '@postern/plugin-sdk';
import type { RecordingMetadata } from './metadata.js';

/** What is known when a recording starts. */
export type RecordingStart = Pick<
  RecordingMetadata,
  'session' | 'kind' | 'format' | 'user' | 'resourceKind' | 'resource' | 'cluster' | 'header'
>;

/** A recording in progress; `close` resolves with what was stored, once it is durable. */
export interface RecordingInProgress extends Recording {
  readonly recording: string;
  /** Completes the recording. Rejects with `audit_unavailable` where a part of it was lost. Idempotent. */
  complete(): Promise<RecordingMetadata>;
}

/** Where recordings are kept. Local files are the default; other stores implement the same interface. */
export interface RecordingStore {
  /** Rejects with `audit_unavailable` where nothing can be stored, and leaves nothing behind. */
  create(start: RecordingStart): Promise<RecordingInProgress>;
  /** Sessions newest first, and the recordings of one in the order in which they began. */
  list(filter: RecordingFilter): Promise<readonly RecordingMetadata[]>;
  /** Rejects with `not_found` for a recording or a file that does not exist. */
  read(session: string, recording: string, file: string): Promise<Readable>;
  /** Completes what a process that died had left open; resolves with what it completed. */
  recover(): Promise<readonly RecordingMetadata[]>;
}

export interface RecordingFilter {
  readonly session?: string | undefined;
  readonly user?: string | undefined;
  readonly limit: number;
}
