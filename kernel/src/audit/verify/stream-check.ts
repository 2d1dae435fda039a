import { eventIn } from '../log/index.js';
import { SequenceRanges } from '../sequence-ranges.js';
import type { Findings, NoticeKind, ProblemKind, StreamReport } from './report.js';

interface Watched {
  readonly agent: string;
  readonly stream: string;
  readonly ranges: SequenceRanges;
  events: number;
}

/** Follows the numbers of every stream through the log. */
export class StreamCheck {
  readonly #streams = new Map<string, Watched>();

  constructor(
    private readonly problems: Findings<ProblemKind>,
    private readonly notices: Findings<NoticeKind>,
  ) {}

  add(index: number, entry: Buffer): void {
    const event = eventIn(entry);
    if (!event) return this.notices.add('unreadable', `entry ${index}`, 'it is no event');
    const { agent, stream, sequence } = event;
    const key = `${agent} ${stream}`;
    const watched = this.#streams.get(key) ?? { agent, stream, ranges: new SequenceRanges(), events: 0 };
    this.#streams.set(key, watched);
    watched.events += 1;
    const isBehind = sequence < watched.ranges.last;
    const what = `event ${sequence} of ${agent} (${stream})`;
    if (!watched.ranges.add(sequence))
      this.problems.add('duplicate', `entry ${index}`, `${what} is here a second time`);
    else if (isBehind) this.problems.add('reordered', `entry ${index}`, `${what} stands behind a later one`);
  }

  /** Names the gaps, and tells what there is of each stream. */
  finish(): StreamReport[] {
    return [...this.#streams.values()].map(({ agent, stream, ranges, events }) => {
      for (const gap of ranges.gaps()) this.problems.add('gap', `${agent} ${stream}`, gapDetail(gap));
      return { agent, stream, events, ranges: ranges.runs };
    });
  }
}

export const gapDetail = ([from, to]: readonly [number, number]): string =>
  from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`;
