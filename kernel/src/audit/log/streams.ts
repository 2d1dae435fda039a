import { PosternError } from '@postern/plugin-sdk';
import type { AuditRecord, EventKey } from '../event.js';
import { SequenceRanges, type SequenceRange } from '../sequence-ranges.js';

/** Which numbers of one stream a log holds. */
export interface StreamState {
  readonly agent: string;
  readonly stream: string;
  readonly ranges: readonly SequenceRange[];
}

/** What became of an offered event. */
export type Verdict =
  | { readonly kind: 'new' }
  /** It is stored already, with this id. */
  | { readonly kind: 'seen' }
  /** Its number is taken, and the id of the event that has it is not at hand. */
  | { readonly kind: 'old' }
  | { readonly kind: 'conflict'; readonly kept: string };

/** How many ids are kept of one stream, of which a quarter goes at a time, and of all together: more than is ever sent twice. */
const idsPerStream = 2048;
const idsInAll = 256 * 1024;

class Stream {
  readonly ranges: SequenceRanges;
  readonly ids = new Map<number, string>();

  constructor(
    readonly agent: string,
    readonly stream: string,
    ranges?: readonly SequenceRange[],
  ) {
    this.ranges = new SequenceRanges(ranges);
  }

  judge({ id, sequence }: EventKey): Verdict {
    if (!this.ranges.has(sequence)) return { kind: 'new' };
    const kept = this.ids.get(sequence);
    if (kept === undefined) return { kind: 'old' };
    return kept === id ? { kind: 'seen' } : { kind: 'conflict', kept };
  }

  /** Returns by how many the kept ids have become more. */
  add({ id, sequence }: EventKey): number {
    const before = this.ids.size;
    this.ranges.add(sequence);
    this.ids.set(sequence, id);
    if (this.ids.size > idsPerStream) this.#forgetOldest();
    return this.ids.size - before;
  }

  #forgetOldest(): void {
    // A map that loses its first entry with every new one is searched past all that it has lost: so, many at once.
    let surplus = idsPerStream / 4;
    for (const sequence of this.ids.keys()) {
      if (surplus-- <= 0) break;
      this.ids.delete(sequence);
    }
  }
}

const keyOf = ({ agent, stream }: Pick<EventKey, 'agent' | 'stream'>): string => `${agent} ${stream}`;

/** Which events of which streams a log holds: what makes `append` idempotent, in bounded memory. */
export class Streams {
  readonly #streams = new Map<string, Stream>();
  /** Those with ids, in the order in which they were last added to. */
  readonly #active = new Set<Stream>();
  /** The one that was added to last: a batch is of one stream, as a rule. */
  #newest: Stream | undefined;
  #ids = 0;

  constructor(states: readonly StreamState[] = []) {
    for (const state of states) this.#streams.set(keyOf(state), new Stream(state.agent, state.stream, state.ranges));
  }

  judge(event: EventKey): Verdict {
    return this.#find(event)?.judge(event) ?? { kind: 'new' };
  }

  /** The highest number of a stream; 0 where there is none. */
  last(event: Pick<EventKey, 'agent' | 'stream'>): number {
    return this.#find(event)?.ranges.last ?? 0;
  }

  /** True where a stream has so many gaps that it may not have another. */
  isTorn(event: Pick<EventKey, 'agent' | 'stream'>): boolean {
    return (this.#find(event)?.ranges.runs.length ?? 0) >= SequenceRanges.limit;
  }

  /** Notes an event that is durable. */
  add(event: EventKey): void {
    const stream = this.#find(event) ?? this.#make(event);
    if (stream !== this.#newest) {
      this.#active.delete(stream);
      this.#active.add(stream);
      this.#newest = stream;
    }
    this.#ids += stream.add(event);
    for (const quietest of this.#active) {
      if (this.#ids <= idsInAll) break;
      this.#active.delete(quietest);
      if (quietest === this.#newest) this.#newest = undefined;
      this.#ids -= quietest.ids.size;
      quietest.ids.clear();
    }
  }

  #find({ agent, stream }: Pick<EventKey, 'agent' | 'stream'>): Stream | undefined {
    const newest = this.#newest;
    if (newest?.stream === stream && newest.agent === agent) return newest;
    return this.#streams.get(keyOf({ agent, stream }));
  }

  #make({ agent, stream }: EventKey): Stream {
    const made = new Stream(agent, stream);
    this.#streams.set(keyOf(made), made);
    return made;
  }

  /** Everything but the ids, for keeping. */
  states(): StreamState[] {
    return [...this.#streams.values()].map(({ agent, stream, ranges }) => ({ agent, stream, ranges: ranges.runs }));
  }
}

/** The new events of several calls that are about to be written together; nothing is noted before they are durable. */
export class Staging {
  readonly #fresh = new Map<string, AuditRecord>();

  constructor(private readonly streams: Streams) {}

  get records(): AuditRecord[] {
    return [...this.#fresh.values()];
  }

  /**
   * Takes one call's events, all or none. Throws `conflict` where a number
   * belongs to another event, `unavailable` where that cannot be told from
   * memory, and `limit_exceeded` for a stream that consists of gaps.
   */
  add(records: readonly AuditRecord[], onConflict: (event: EventKey, kept: string) => void): void {
    const fresh = new Map<string, AuditRecord>();
    for (const record of records) {
      const { key: event } = record;
      const key = `${keyOf(event)} ${event.sequence}`;
      const verdict = this.#judge(event, fresh.get(key) ?? this.#fresh.get(key));
      if (verdict.kind === 'new') {
        this.#checkGap(event);
        fresh.set(key, record);
      }
      if (verdict.kind === 'old')
        throw new PosternError('unavailable', `event ${event.sequence} of ${event.agent} must be looked up first`);
      if (verdict.kind !== 'conflict') continue;
      onConflict(event, verdict.kept);
      throw conflictOf(event, verdict.kept);
    }
    for (const [key, record] of fresh) this.#fresh.set(key, record);
  }

  #checkGap(event: EventKey): void {
    if (event.sequence <= this.streams.last(event) + 1 || !this.streams.isTorn(event)) return;
    throw new PosternError('limit_exceeded', `the stream of ${event.agent} has too many gaps`);
  }

  #judge(event: EventKey, staged: AuditRecord | undefined): Verdict {
    if (!staged) return this.streams.judge(event);
    return staged.key.id === event.id ? { kind: 'seen' } : { kind: 'conflict', kept: staged.key.id };
  }
}

export const conflictOf = ({ agent, sequence, id }: EventKey, kept: string): PosternError =>
  new PosternError('conflict', `${agent} sent ${id} as its event ${sequence}, which is ${kept}`);
