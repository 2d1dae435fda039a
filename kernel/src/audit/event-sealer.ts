import { PosternError } from '@postern/plugin-sdk';
import type { Catalog } from './catalog.js';
import { EnvelopeTails } from './envelope-tails.js';
import { eventIds } from './event-id.js';
import { splitText } from './event-parts.js';
import { maxLineBytes, type EventDraft } from './event.js';

/** An event that lacks only its agent, stream and sequence, which stand between the two texts. */
export interface SealedEvent {
  readonly id: string;
  readonly type: string;
  readonly before: string;
  readonly after: string;
}

/** Room for the members that the spool adds: agent (128), stream (16), sequence (16) and their names. */
const stampBytes = 256;
const lineBudget = maxLineBytes - stampBytes;

/** Turns what a caller knows into what may be written: validated, redacted, dated, and cut where it is too long. */
export class EventSealer {
  readonly #nextId = eventIds();
  readonly #tails = new EnvelopeTails();
  readonly #cluster: string;
  /** The last time, in milliseconds and as text: many events share one. */
  #ms = NaN;
  #time = '';

  constructor(
    private readonly options: {
      readonly catalog: Catalog;
      readonly cluster: string;
      readonly now: () => Date;
      /** The longest event, all parts together, in bytes. A longer one is refused with `limit_exceeded`. */
      readonly maxEventBytes?: number;
    },
  ) {
    this.#cluster = JSON.stringify(options.cluster);
  }

  /** One event, or the parts of one that is too long for one entry. Refuses as {@link Catalog.check} does. */
  seal(draft: EventDraft): readonly SealedEvent[] {
    const { type } = draft;
    const fields = this.options.catalog.encode(type, draft.fields);
    const tail = this.#tails.of(draft);
    const whole = this.#sealed(type, `${tail},"fields":${fields}}`);
    // A code unit takes at most three bytes, so that most events need not be measured.
    if ((whole.before.length + whole.after.length) * 3 <= lineBudget) return [whole];
    const length = Buffer.byteLength(whole.before) + Buffer.byteLength(whole.after);
    if (length <= lineBudget) return [whole];
    const allowed = this.options.maxEventBytes ?? 4 * 1024 * 1024;
    if (length > allowed)
      throw new PosternError('limit_exceeded', `a ${type} event of ${length} bytes, ${allowed} are allowed`);
    return this.#parts(whole, tail, fields);
  }

  #sealed(type: string, after: string): SealedEvent {
    const now = this.options.now();
    const ms = now.getTime();
    if (ms !== this.#ms) {
      this.#ms = ms;
      this.#time = now.toISOString();
    }
    const id = this.#nextId(ms);
    return {
      id,
      type,
      before: `{"id":"${id}","time":"${this.#time}","type":"${type}","cluster":${this.#cluster}`,
      after,
    };
  }

  #parts(first: SealedEvent, tail: string, fields: string): readonly SealedEvent[] {
    const around = (number: number, total: number, text: string): string =>
      `${tail},"part":{"number":${number},"of":"${first.id}","text":${JSON.stringify(text)},"total":${total}},"fields":{}}`;
    const overhead = Buffer.byteLength(first.before) + Buffer.byteLength(around(1024, 1024, ''));
    const pieces = splitText(fields, lineBudget - overhead);
    return pieces.map((text, index) => {
      const after = around(index + 1, pieces.length, text);
      return index === 0 ? { ...first, after } : this.#sealed(first.type, after);
    });
  }
}
