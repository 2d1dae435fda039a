/** An unbroken run of sequence numbers, both ends included. */
export type SequenceRange = readonly [from: number, to: number];

/**
 * Which numbers of a stream were seen, as runs: one, where nothing is missing.
 * Memory grows with the gaps; whoever adds numbers of others bounds them.
 */
export class SequenceRanges {
  /** How many runs a stream may have before it is no stream any more. */
  static readonly limit = 1024;
  readonly #runs: [number, number][];

  constructor(runs: readonly SequenceRange[] = []) {
    this.#runs = runs.map(([from, to]) => [from, to]);
  }

  /** The runs, in order. */
  get runs(): readonly SequenceRange[] {
    return this.#runs;
  }

  /** The highest number seen; 0 before the first. */
  get last(): number {
    return this.#runs.at(-1)?.[1] ?? 0;
  }

  has(sequence: number): boolean {
    const run = this.#runs[this.#position(sequence)];
    return run !== undefined && run[0] <= sequence;
  }

  /** Notes a number. Returns false where it had been seen before. */
  add(sequence: number): boolean {
    const last = this.#runs.at(-1);
    if (last && last[1] + 1 === sequence) {
      last[1] = sequence;
      return true;
    }
    return this.#insert(sequence);
  }

  /** The runs that are missing between 1 and the highest number seen. */
  gaps(): SequenceRange[] {
    const starts = [0, ...this.#runs.map(([, to]) => to)];
    return this.#runs
      .map(([from], index): SequenceRange => [(starts[index] ?? 0) + 1, from - 1])
      .filter(([from, to]) => from <= to);
  }

  /** The first run that ends at the number or behind it. */
  #position(sequence: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#runs[middle]?.[1] ?? 0) < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(sequence: number): boolean {
    const position = this.#position(sequence);
    if ((this.#runs[position]?.[0] ?? Infinity) <= sequence) return false;
    this.#runs.splice(position, 0, [sequence, sequence]);
    this.#join(position);
    this.#join(position - 1);
    return true;
  }

  /** Makes one run of a run and the one behind it, where nothing is missing between them. */
  #join(position: number): void {
    const left = this.#runs[position];
    const right = this.#runs[position + 1];
    if (left && right && left[1] + 1 === right[0]) this.#runs.splice(position, 2, [left[0], right[1]]);
  }
}
