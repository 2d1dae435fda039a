import type { EventDraft } from '../audit/index.js';
import type { EventPort } from '../sessions/index.js';

/** Writes an event of the Auth Service and resolves once it is durable: what it tells of may then happen. */
export type Report = (
  type: string,
  about: Partial<Pick<EventDraft, 'user' | 'session' | 'resource' | 'source'>>,
  fields: Readonly<Record<string, unknown>>,
) => Promise<void>;

export const reporter =
  (events: EventPort): Report =>
  async (type, about, fields) => {
    // JSON has no `undefined`: what is not known is left out.
    const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    await events.emit({ type, ...about, fields: known }, 'strict');
  };
