import { PosternError } from '@postern/plugin-sdk';
import { envelopeLimits, type EventDraft } from './event.js';

interface Remembered extends Omit<EventDraft, 'type' | 'fields'> {
  readonly tail: string;
}

/** How many sessions are remembered; the one that is remembered longest gives way. */
const maxSessions = 1024;

/**
 * The members of an envelope that say what an event is about, as they stand in
 * its line. All events of a session have the same, so that they are remembered.
 */
export class EnvelopeTails {
  readonly #sessions = new Map<string, Remembered>();

  /** Refuses with `invalid_argument` what the envelope's schema does not allow. */
  of(draft: EventDraft): string {
    const { session, user, resource, source } = draft;
    if (session === undefined) return tailOf(draft);
    const known = this.#sessions.get(session);
    if (known && known.user === user && known.source === source && isSame(known.resource, resource)) return known.tail;
    const tail = tailOf(draft);
    this.#sessions.set(session, { session, user, resource, source, tail });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > maxSessions && oldest !== undefined) this.#sessions.delete(oldest);
    return tail;
  }
}

const isSame = (one: EventDraft['resource'], other: EventDraft['resource']): boolean =>
  one?.kind === other?.kind && one?.name === other?.name;

function tailOf({ session, user, resource, source }: EventDraft): string {
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
