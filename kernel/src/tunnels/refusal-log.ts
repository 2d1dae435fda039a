import type { RefusalReason } from './refusal.js';

/** One line for the audit log: `count` connections from `source` were refused for `reason`. */
export interface ConnectionRefused {
  readonly source: string;
  readonly reason: RefusalReason;
  /** For operators; of the last one, where there were several. Bounded, printable, and not trusted. */
  readonly detail: string;
  readonly count: number;
}

interface Repeats {
  readonly source: string;
  readonly reason: RefusalReason;
  detail: string;
  count: number;
}

const maxDetail = 300;

/**
 * Reports refusals without letting whoever causes them fill the audit log: the
 * first of a source and reason is reported at once, what follows within the
 * window is reported as one sum at its end. No refusal goes uncounted. Where
 * more sources than `maxSources` offend in one window, the rest share one sum.
 */
export class RefusalLog implements Disposable {
  readonly #repeats = new Map<string, Repeats>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly emit: (refused: ConnectionRefused) => void,
    private readonly windowMs = 10_000,
    private readonly maxSources = 4096,
  ) {}

  report(source: string, reason: RefusalReason, text: string): void {
    const detail = text.replace(/[^\x20-\x7e]/g, '?').slice(0, maxDetail);
    const known = this.#repeats.get(`${reason} ${source}`);
    if (known) return add(known, detail);
    if (this.#repeats.size < this.maxSources) {
      this.#repeats.set(`${reason} ${source}`, { source, reason, detail, count: 0 });
      this.#timer ??= setTimeout(() => this.flush(), this.windowMs).unref();
      return this.emit({ source, reason, detail, count: 1 });
    }
    const rest = this.#repeats.get(reason) ?? { source: 'many', reason, detail, count: 0 };
    this.#repeats.set(reason, rest);
    add(rest, detail);
  }

  /** Reports the sums of the window at hand and begins another. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const sums = [...this.#repeats.values()];
    this.#repeats.clear();
    for (const sum of sums) if (sum.count > 0) this.emit({ ...sum });
  }

  [Symbol.dispose](): void {
    this.flush();
  }
}

function add(repeats: Repeats, detail: string): void {
  repeats.count += 1;
  repeats.detail = detail;
}
