import { PosternError, type Hold, type Recording } from '@postern/plugin-sdk';
import type { RecordingInProgress } from '../recordings/index.js';

export interface AuditedRecordingOptions {
  readonly kind: string;
  /** Without a demand, a session goes on when its recording fails; the audit log says so. */
  readonly demanded: boolean;
  emit(type: string, fields: Readonly<Record<string, unknown>>): Hold;
}

/** A recording whose fate stands in the audit log: completed, with its hash, or failed, with the reason. */
export class AuditedRecording implements Recording {
  #failed = false;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly recording: RecordingInProgress,
    private readonly options: AuditedRecordingOptions,
  ) {}

  write(direction: 'in' | 'out', data: Buffer): Hold {
    return this.#guard(() => this.recording.write(direction, data));
  }

  mark(name: string, fields: Readonly<Record<string, unknown>>): Hold {
    return this.#guard(() => this.recording.mark(name, fields));
  }

  /** Idempotent: a plugin may close its recording, and the kernel closes what is left open. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    try {
      const { bytes, durationMs, hashes = {} } = await this.recording.complete();
      if (this.#failed) return;
      const { recording } = this.recording;
      const { kind } = this.options;
      await this.options.emit('recording.completed', { recording, kind, bytes, durationMs, sha256: hashes });
    } catch (cause) {
      await this.#fail(cause);
    }
  }

  #guard(work: () => Hold): Hold {
    if (this.#failed) return;
    try {
      const hold = work();
      return hold instanceof Promise ? hold.catch((cause: unknown) => this.#fail(cause)) : undefined;
    } catch (cause) {
      return this.#fail(cause);
    }
  }

  async #fail(cause: unknown): Promise<void> {
    const error = PosternError.from(cause);
    if (!this.#failed) {
      this.#failed = true;
      const { recording } = this.recording;
      const { kind } = this.options;
      await this.options.emit('recording.failed', { recording, kind, code: error.code, message: error.message });
    }
    if (this.options.demanded) throw error;
  }
}

/** What a session writes to where its roles switch recording off. */
export const noRecording: Recording = { write: () => {}, mark: () => {}, close: async () => {} };
