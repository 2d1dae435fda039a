import { closeSync, constants, fstatSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';

const suffix = '.seg';
const digits = 16;

/** One file of a spool, named after the first sequence that it holds. */
export interface Segment {
  readonly path: string;
  readonly first: number;
  /** Bytes of whole records. */
  size: number;
}

export const segmentPath = (directory: string, first: number): string =>
  join(directory, `${String(first).padStart(digits, '0')}${suffix}`);

/** The first sequence of the segment with this file name; `undefined` for other files. */
export function segmentFirst(name: string): number | undefined {
  const [, first] = /^([0-9]{16})\.seg$/.exec(name) ?? [];
  return first === undefined ? undefined : Number(first);
}

/** The segment that is being written. */
export class ActiveSegment implements Segment {
  readonly file: number;
  /** True while bytes of a failed write are behind the whole records: nothing may follow them. */
  #spoilt = false;

  constructor(
    readonly path: string,
    readonly first: number,
    public size: number,
  ) {
    this.file = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
  }

  /**
   * Appends whole records: they survive the process when it returns. Throws
   * `audit_unavailable` where the disk refuses, and then none of them is there.
   */
  append(bytes: Buffer): void {
    let written = 0;
    try {
      if (this.#spoilt) this.#takeBack();
      while (written < bytes.length) written += writeSync(this.file, bytes, written, bytes.length - written);
    } catch (cause) {
      this.#spoilt ||= written > 0;
      if (this.#spoilt) this.#takeBackQuietly();
      throw new PosternError('audit_unavailable', `the disk refuses audit events: ${(cause as Error).message}`, {
        cause,
      });
    }
    this.size += bytes.length;
  }

  /** Throws `audit_unavailable` where the file is no longer at its path: what is written to it then is for nobody. */
  assertInPlace(): void {
    let there: number | undefined;
    try {
      there = statSync(this.path, { throwIfNoEntry: false })?.ino;
      if (there === fstatSync(this.file).ino) return;
    } catch (cause) {
      throw new PosternError('audit_unavailable', `${this.path} cannot be looked at any more`, { cause });
    }
    const what = there === undefined ? 'removed' : 'replaced';
    throw new PosternError('audit_unavailable', `${this.path} was ${what} while audit events were written to it`);
  }

  close(): void {
    closeSync(this.file);
  }

  #takeBack(): void {
    ftruncateSync(this.file, this.size);
    this.#spoilt = false;
  }

  /** The caller hears of the write's error; this one's comes back with the next attempt to write. */
  #takeBackQuietly(): void {
    try {
      this.#takeBack();
    } catch {
      this.#spoilt = true;
    }
  }
}
