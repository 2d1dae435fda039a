import type { HeaderFields } from './header-fields.js';
import { HttpRefusal } from './http-refusal.js';

/** What `Connection` may name. Anything else would have the next reader drop a field, perhaps one that we added. */
const known: ReadonlySet<string> = new Set(['close', 'keep-alive', 'upgrade', 'te']);

/** Fields that concern one connection (RFC 9110, section 7.6.1). Transfer-Encoding stays: bodies are passed on as they are. */
const own: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'upgrade',
]);

/** What the fields say about the connection. */
export interface ConnectionOptions {
  /** The connection ends behind this message. */
  readonly close: boolean;
  /** The protocols that a client would like to change to, as they were sent. */
  readonly upgrade: string | undefined;
}

/** What a head says about its connection. Throws {@link HttpRefusal} where `Connection` names fields. */
export function connectionOptions(version: '1.0' | '1.1', fields: HeaderFields): ConnectionOptions {
  const options = fields.tokens('connection');
  const strange = options.find((option) => !known.has(option));
  if (strange !== undefined) throw new HttpRefusal(400, 'Connection names a field');
  const close = options.includes('close') || (version === '1.0' && !options.includes('keep-alive'));
  const upgrades = fields.all('upgrade');
  if (upgrades.length > 1) throw new HttpRefusal(400, 'there is more than one Upgrade');
  return { close, upgrade: options.includes('upgrade') ? upgrades[0] : undefined };
}

/**
 * Fields for the next connection: without those that concern the last one, and
 * with the little that is still meant.
 */
export function forwardedFields(fields: HeaderFields, { close, upgrade }: ConnectionOptions): HeaderFields {
  const kept = fields.without((name) => own.has(name));
  if (upgrade !== undefined)
    return kept.with({ name: 'Connection', value: 'Upgrade' }, { name: 'Upgrade', value: upgrade });
  return close ? kept.with({ name: 'Connection', value: 'close' }) : kept;
}
