import { HeaderFields, isFieldValue, isToken, type RequestHead } from '@postern/plugin-sdk/http1';
import { ownHeader } from './own-header.js';

/** Fields that concern one connection, or one that we do not pass on. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'http2-settings',
  'expect',
]);

/** What the application is told besides what the client said. */
export interface Told {
  readonly host: string;
  readonly user: string;
  readonly source: string;
  /** The assertion and what the resource adds, by name. */
  readonly more: Readonly<Record<string, string>>;
}

/** The fields of a request to the application: the client's without those that are ours, then ours. */
export function requestFields({ fields }: RequestHead, { host, user, source, more }: Told): HeaderFields {
  const added = new Set(Object.keys(more).map((name) => name.toLowerCase().replaceAll('_', '-')));
  const called = fields.all('host')[0];
  return fields
    .without((name) => ofConnection.has(name) || ownHeader(name) || added.has(name))
    .with(
      { name: 'Host', value: host },
      { name: 'X-Forwarded-For', value: source },
      { name: 'X-Forwarded-Proto', value: 'https' },
      ...(called !== undefined && called !== '' ? [{ name: 'X-Forwarded-Host', value: called }] : []),
      { name: 'Postern-User', value: encodeURI(user) },
      ...Object.entries(more).map(([name, value]) => ({ name, value })),
    );
}

/** The application's own names, in lower case, and where it begins: what redirects are freed of. */
export interface Places {
  readonly hosts: readonly string[];
  readonly prefix: string | undefined;
}

/**
 * The fields of an application's response, as they go on: without those that
 * concern its connection, those that its `Connection` names, and what would
 * lead clients past us.
 */
export function responseFields(fields: HeaderFields, { hosts, prefix }: Places): HeaderFields {
  const named = new Set(fields.tokens('connection').map((name) => name.replaceAll('_', '-')));
  named.delete('content-length');
  const kept = fields.without(
    (name) =>
      (name !== 'content-length' && name !== 'trailer' && ofConnection.has(name)) ||
      named.has(name) ||
      name === 'alt-svc',
  );
  const location = kept.get('location');
  if (location === undefined) return kept;
  return kept
    .without((name) => name === 'location')
    .with({ name: 'Location', value: clientLocation(location, hosts, prefix) });
}

/** As Node gives them. Leaves out what could not stand in a head. */
export function rawFields(raw: readonly string[]): HeaderFields {
  const pairs: { name: string; value: string }[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    if (isToken(name) && isFieldValue(value)) pairs.push({ name, value });
  }
  return new HeaderFields(pairs);
}

/** As Node takes them: one value, or several for a name that stands there several times. */
export function headerRecord(fields: HeaderFields): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const { name, value } of fields) {
    const key = name.toLowerCase();
    const before = record[key];
    record[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return record;
}

/** Fields behind a body that may be passed on: none that a reader must know before it, and none of ours. */
export function trailerFields(raw: readonly string[]): readonly (readonly [string, string])[] {
  const before = new Set(['host', 'authorization', 'cookie', 'set-cookie', 'content-encoding', 'content-type']);
  return [...rawFields(raw).without((name) => ownHeader(name) || ofConnection.has(name) || before.has(name))].map(
    ({ name, value }) => [name, value] as const,
  );
}

/** A redirect to the application's own address, as a client can follow it: without the address and the prefix. */
export function clientLocation(location: string, hosts: readonly string[], prefix = ''): string {
  const origin = /^https?:\/\/([^/?#]*)(?=[/?#]|$)/i.exec(location);
  if (origin ? !hosts.includes(origin[1]?.toLowerCase() ?? '') : !/^\/(?!\/)/.test(location)) return location;
  const local = location.slice(origin?.[0].length);
  return withoutPrefix(local, prefix);
}

function withoutPrefix(local: string, prefix: string): string {
  const below = prefix !== '' && local.startsWith(prefix) && /^(?:$|[/?#])/.test(local.slice(prefix.length));
  const rest = below ? local.slice(prefix.length) : local;
  // Two slashes would begin the name of another host.
  return rest.startsWith('/') ? rest.replace(/^\/{2,}/, '/') : `/${rest}`;
}
