import { PosternError } from '@postern/plugin-sdk';
import type { AuditEvent, AuditLog, AuditReader, Catalog, EventFilter } from '../../audit/index.js';
import type { Caller } from '../caller.js';
import { getCheckpoint, searchEvents, tailEvents, type Verb } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

export interface AuditHandlersOptions {
  readonly log: AuditLog;
  readonly reader: AuditReader;
  readonly catalog: Catalog;
  /** The text form of the key that verifies the log's next checkpoint. */
  readonly verifier: () => string;
  /** Whether the caller's roles have a rule for it. */
  readonly may: (caller: Caller, rule: { readonly kind: string; readonly verb: Verb }) => boolean;
}

export function auditHandlers({ log, reader, catalog, verifier, may }: AuditHandlersOptions): readonly Handler[] {
  /** Who may list events but not read them sees that something happened, and not what was in it. */
  const shown = (event: AuditEvent, caller: Caller): AuditEvent =>
    may(caller, { kind: 'audit', verb: 'read' }) ? event : catalog.mask(event);
  return [
    implement(searchEvents, async ({ limit, cursor, ...wanted }, { caller, signal }) => {
      const page = await reader.find(
        { ...filterOf(wanted), limit, ...(cursor !== undefined && { cursor: indexOf(cursor) }) },
        signal,
      );
      return {
        events: page.events.map(({ event }) => shown(event, caller)),
        ...(page.next !== undefined && { next: String(page.next) }),
      };
    }),
    implement(tailEvents, ({ last, ...wanted }, { caller, signal }) => tail(last, wanted, { caller, signal })),
    implement(getCheckpoint, async () => {
      const checkpoint = await log.checkpoint();
      return { checkpoint: checkpoint.toString('utf8'), verifier: verifier() };
    }),
  ];

  async function* tail(last: number, wanted: Wanted, call: { readonly caller: Caller; readonly signal: AbortSignal }) {
    const filter = filterOf(wanted);
    const since = log.size;
    const before =
      last > 0 ? await reader.find({ ...filter, cursor: since, limit: last }, call.signal) : { events: [] };
    for (const { event } of [...before.events].reverse()) yield shown(event, call.caller);
    for await (const { event } of reader.tail(filter, call.signal, since)) yield shown(event, call.caller);
  }
}

interface Wanted {
  readonly type?: string | undefined;
  readonly user?: string | undefined;
  readonly session?: string | undefined;
  readonly resource?: string | undefined;
  readonly text?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

function filterOf({ type, user, session, resource, text, from, to }: Wanted): EventFilter {
  return {
    ...(type !== undefined && { types: [type.replace(/\.\*?$/, '')] }),
    ...(user !== undefined && { user }),
    ...(session !== undefined && { session }),
    ...(resource !== undefined && { resource: resourceOf(resource) }),
    ...(text !== undefined && { text }),
    ...(from !== undefined && { from: new Date(from) }),
    ...(to !== undefined && { to: new Date(to) }),
  };
}

function resourceOf(text: string): { readonly kind: string; readonly name?: string } {
  const [kind = '', ...rest] = text.split('/');
  return rest.length > 0 ? { kind, name: rest.join('/') } : { kind };
}

function indexOf(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw PosternError.public('invalid_argument', 'the cursor is none of ours');
  return Number(cursor);
}
