import type { TerminalFrame } from '../../recordings/terminal-frames.js';

export interface PlayerOptions {
  readonly frames: readonly TerminalFrame[];
  readonly write: (data: Buffer | string) => void;
  speed: number;
  /** Longer pauses are cut to this. */
  readonly maxIdleMs: number | undefined;
  /** Waits; resolves early when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What a key does. */
export type PlayerKey = 'pause' | 'forward' | 'back' | 'faster' | 'slower' | 'quit';

const stepMs = 5000;
const longestSleepMs = 60_000;
/** RIS (ECMA-48, section 8.3.105): a terminal as after it was switched on. */
const reset = '\u001bc';

/** Plays a terminal recording: what was shown, when it was shown. */
export class Player {
  #next = 0;
  #atMs = 0;
  #paused = false;
  #done = false;
  #wake = new AbortController();
  readonly #schedule: readonly number[];

  constructor(private readonly options: PlayerOptions) {
    this.#schedule = schedule(options.frames, options.maxIdleMs);
  }

  /** Resolves when everything was shown, or somebody has had enough. */
  async play(): Promise<void> {
    const { frames, write, sleep } = this.options;
    while (!this.#done) {
      const frame = frames[this.#next];
      if (!frame && !this.#paused) return;
      const waitMs = this.#paused || !frame ? longestSleepMs : (this.#schedule[this.#next] ?? 0) - this.#atMs;
      if (waitMs > 0) {
        const started = performance.now();
        this.#wake = new AbortController();
        const { speed } = this.options;
        await sleep(Math.min(waitMs / speed, longestSleepMs), this.#wake.signal);
        if (this.#paused) continue;
        const passedMs = (performance.now() - started) * speed;
        this.#atMs = this.#wake.signal.aborted
          ? Math.min(this.#atMs + passedMs, this.#atMs + waitMs)
          : this.#atMs + waitMs;
        if (this.#wake.signal.aborted) continue;
      }
      if (!frame) continue;
      write(frame.data);
      this.#next += 1;
    }
  }

  press(key: PlayerKey): void {
    if (key === 'quit') this.#done = true;
    if (key === 'pause') this.#paused = !this.#paused;
    if (key === 'faster') this.options.speed = Math.min(this.options.speed * 2, 64);
    if (key === 'slower') this.options.speed = Math.max(this.options.speed / 2, 1 / 16);
    // The sleep that this ends must not add its time to the new place.
    this.#wake.abort();
    if (key === 'forward') this.#seek(this.#atMs + stepMs);
    if (key === 'back') this.#seek(Math.max(0, this.#atMs - stepMs));
  }

  /** Shows at once everything up to a time; backwards, from the beginning on an empty screen. */
  #seek(toMs: number): void {
    const { frames, write } = this.options;
    if (toMs < this.#atMs) {
      write(reset);
      this.#next = 0;
    }
    const parts: Buffer[] = [];
    for (; this.#next < frames.length && (this.#schedule[this.#next] ?? 0) <= toMs; this.#next++)
      parts.push(frames[this.#next]?.data ?? Buffer.alloc(0));
    write(Buffer.concat(parts));
    this.#atMs = toMs;
  }
}

/** When each frame is shown, once long pauses are cut. */
export function schedule(frames: readonly TerminalFrame[], maxIdleMs = Infinity): readonly number[] {
  let before = 0;
  let at = 0;
  return frames.map(({ atMs }) => {
    at += Math.min(atMs - before, maxIdleMs);
    before = atMs;
    return at;
  });
}
