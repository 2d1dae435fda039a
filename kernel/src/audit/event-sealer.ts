import { PosternError } from '@postern/plugin-sdk';
import { canonicalJson } from './canonical-json.js';
import type { Catalog } from './catalog.js';
import { eventIds } from './event-id.js';
import { splitText } from './event-parts.js';
import { envelopeLimits, maxLineBytes, type EventDraft } from './event.js';

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
  readonly #cluster: string;

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
    const fields = canonicalJson(this.options.catalog.check(draft.type, draft.fields));
    const tail = envelopeOf(draft);
    const head = { ...this.#head(draft.type), after: `${tail},"fields":${fields}}` };
    // A code unit takes at most three bytes, so that most events need not be measured.
    if ((head.before.length + head.after.length) * 3 <= lineBudget) return [head];
    const length = Buffer.byteLength(head.before) + Buffer.byteLength(head.after);
    if (length <= lineBudget) return [head];
    const allowed = this.options.maxEventBytes ?? 4 * 1024 * 1024;
    if (length > allowed)
      throw new PosternError('limit_exceeded', `a ${draft.type} event of ${length} bytes, ${allowed} are allowed`);
    return this.#parts(head, tail, fields);
  }

  #head(type: string): { readonly id: string; readonly type: string; readonly before: string } {
    const now = this.options.now();
    const id = this.#nextId(now.getTime());
    const before = `{"id":"${id}","time":"${now.toISOString()}","type":"${type}","cluster":${this.#cluster}`;
    return { id, type, before };
  }

  #parts(first: Omit<SealedEvent, 'after'>, tail: string, fields: string): readonly SealedEvent[] {
    const around = (number: number, total: number, text: string): string =>
      `${tail},"part":{"number":${number},"of":"${first.id}","text":${JSON.stringify(text)},"total":${total}},"fields":{}}`;
    const overhead = Buffer.byteLength(first.before) + Buffer.byteLength(around(1024, 1024, ''));
    const pieces = splitText(fields, lineBudget - overhead);
    return pieces.map((text, index) => ({
      ...(index === 0 ? first : this.#head(first.type)),
      after: around(index + 1, pieces.length, text),
    }));
  }
}

/** The optional members of the envelope that come before the fields, within the limits of the schema. */
function envelopeOf({ session, user, resource, source }: EventDraft): string {
  let tail = '';
  if (session !== undefined) tail += `,"session":${bounded('session', session)}`;
  if (user !== undefined) tail += `,"user":${bounded('user', user)}`;
  if (resource)
    tail += `,"resource":{"kind":${bounded('kind', resource.kind)},"name":${bounded('name', resource.name)}}`;
  if (source !== undefined) tail += `,"source":${bounded('source', source)}`;
  return tail;
}

function bounded(name: keyof typeof envelopeLimits, value: string): string {
  if (value.length > 0 && value.length <= envelopeLimits[name]) return JSON.stringify(value);
  throw new PosternError('invalid_argument', `${name} of an audit event cannot have ${value.length} characters`);
}
