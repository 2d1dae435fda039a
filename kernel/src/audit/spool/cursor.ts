import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const digits = 16;
const bytes = digits + 10;
const syncEveryMs = 1000;

const format = (value: number): string => {
  const text = String(value).padStart(digits, '0');
  return `${text} ${crc32(text).toString(16).padStart(8, '0')}\n`;
};

/**
 * How far a spool has been acknowledged, in a file of one line. It only saves
 * work: where it is lost or old, events are delivered again and recognised.
 */
export class Cursor {
  #value: number;
  #syncAt = 0;

  private constructor(
    readonly file: number,
    value: number,
  ) {
    this.#value = value;
  }

  static open(path: string): Cursor {
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const line = Buffer.alloc(bytes);
    const text = line.toString('latin1', 0, readSync(file, line, 0, bytes, 0));
    const value = Number(text.slice(0, digits));
    return new Cursor(file, Number.isSafeInteger(value) && text === format(value) ? value : 0);
  }

  /** The last sequence that was acknowledged; 0 before the first. */
  get value(): number {
    return this.#value;
  }

  /**
   * Moves forward. Survives the process at once, and power loss once the file is
   * synced. Returns true where that is due: since it only saves work, never more
   * than once a second.
   */
  advance(value: number): boolean {
    writeSync(this.file, format(value), 0, 'latin1');
    this.#value = value;
    const now = performance.now();
    if (now < this.#syncAt) return false;
    this.#syncAt = now + syncEveryMs;
    return true;
  }

  close(): void {
    closeSync(this.file);
  }
}
