import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { canonicalJson } from './canonical-json.js';

const printable = (limit: number): z.ZodString => z.string().regex(new RegExp(`^[\\x21-\\x7e]{1,${limit}}$`));
const text = (limit: number): z.ZodString => z.string().min(1).max(limit);

/** How long the texts of an envelope may be that come from elsewhere, in UTF-16 code units. */
export const envelopeLimits = { session: 128, user: 512, kind: 64, name: 512, source: 256 } as const;

/** `session.start`, `<protocol id>.<name>`: the dotted type is the code, and it never changes its meaning. */
export const eventTypeName = z
  .string()
  .max(128)
  .regex(/^[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+$/);

/**
 * The envelope of every event. `agent` names the instance that observed it, and
 * `sequence` counts without a gap, from 1, within the agent's `stream`: the life
 * of one spool. The members stand in the line in the order in which they stand here.
 */
export const auditEvent = z.strictObject({
  /** UUID version 7: unique, and sorted by the time at which it was made. */
  id: z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
  /** RFC 3339 in UTC with milliseconds, by the observer's clock. */
  time: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  type: eventTypeName,
  cluster: printable(253),
  agent: printable(128),
  stream: z.string().regex(/^[0-9a-f]{16}$/),
  sequence: z.int().positive(),
  session: text(envelopeLimits.session).optional(),
  user: text(envelopeLimits.user).optional(),
  resource: z.strictObject({ kind: text(envelopeLimits.kind), name: text(envelopeLimits.name) }).optional(),
  /** The client's address as the cluster's edge saw it. */
  source: text(envelopeLimits.source).optional(),
  /** Present where one event was too long for one entry: a piece of the canonical text of its `fields`. */
  part: z
    .strictObject({
      of: z.string().max(36),
      number: z.int().positive(),
      total: z.int().min(2).max(1024),
      text: z.string(),
    })
    .optional(),
  fields: z.record(z.string(), z.unknown()),
});

export type AuditEvent = z.output<typeof auditEvent>;

/** What a caller knows of an event before it is stamped. */
export interface EventDraft {
  readonly type: string;
  readonly session?: string | undefined;
  readonly user?: string | undefined;
  readonly resource?: { readonly kind: string; readonly name: string } | undefined;
  readonly source?: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The longest line, in bytes and without its newline: what one entry of the log can hold. */
export const maxLineBytes = 0xffff;

/** What tells one event from all others, and where it stands in its stream. */
export type EventKey = Pick<AuditEvent, 'id' | 'agent' | 'stream' | 'sequence'>;

/** One event and the exact bytes that are hashed, signed, kept and sent for it. */
export interface AuditRecord {
  readonly key: EventKey;
  /** UTF-8 JSON in canonical form, without a newline. */
  readonly line: Buffer;
  /** All of it, which may have to be read from the line. */
  readonly event: AuditEvent;
}

const members = auditEvent.keyof().options;

/** The canonical line of an event: members in the envelope's order, what is below them by RFC 8785. */
export function eventLine(event: AuditEvent): string {
  const present = members.filter((name) => event[name] !== undefined);
  return `{${present.map((name) => `"${name}":${canonicalJson(event[name])}`).join(',')}}`;
}

/**
 * Reads a line that somebody else made. Rejects with `limit_exceeded` where it
 * is too long and with `protocol_violation` where it is not the canonical line
 * of an event: two texts for one event would be two leaves.
 */
export function parseRecord(line: Buffer): AuditRecord {
  if (line.length > maxLineBytes)
    throw new PosternError('limit_exceeded', `an event of ${line.length} bytes, ${maxLineBytes} are allowed`);
  const checked = auditEvent.safeParse(parseJson(line));
  if (!checked.success) throw new PosternError('protocol_violation', `not an audit event: ${issuesOf(checked.error)}`);
  if (!Buffer.from(eventLine(checked.data)).equals(line))
    throw new PosternError('protocol_violation', `event ${checked.data.id} is not in canonical form`);
  return { key: checked.data, event: checked.data, line };
}

/** Reads a line that this program itself wrote, and whose checksum held: {@link parseRecord} without its checks. */
export function ownRecord(line: Buffer): AuditRecord {
  const event = parseJson(line) as AuditEvent;
  if (!Number.isSafeInteger(event.sequence)) throw new PosternError('internal', 'an audit record without a sequence');
  return { key: event, event, line };
}

/** A record of which the key is known already. */
export class KeyedRecord implements AuditRecord {
  constructor(
    readonly key: EventKey,
    readonly line: Buffer,
  ) {}

  get event(): AuditEvent {
    return parseJson(this.line) as AuditEvent;
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    // The parser's own message quotes the text, and what is in the text is nobody's business here.
    throw new PosternError('protocol_violation', 'an audit event is not JSON');
  }
}

/** Where and why a value does not fit, without the value. */
export const issuesOf = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`).join('; ');
