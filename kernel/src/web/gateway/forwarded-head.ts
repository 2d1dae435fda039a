import type http from 'node:http';

/** Fields that concern one connection (RFC 9110, section 7.6.1); framing and upgrades are written anew. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]);

/** By these, applications learn who somebody is and from where: browsers do not say that. */
const identity = /^(forwarded$|via$|x-forwarded|x-real-ip$|postern-|x-postern-)/;

const ours = /^__Host-postern/i;

/** What is left of a browser's fields for an agent, flat as in `rawHeaders`: without ours, and those of the connection. */
export function requestHeaders({ rawHeaders, headers }: http.IncomingMessage): string[] {
  const named = namedBy(headers.connection);
  return pairsOf(rawHeaders).flatMap(([name, value]) => {
    const key = name.toLowerCase().replaceAll('_', '-');
    if (ofConnection.has(key) || named.has(key) || identity.test(key)) return [];
    const left = key === 'cookie' ? withoutOurs(value) : value;
    return left === '' && key === 'cookie' ? [] : [name, left];
  });
}

/** What is left of an agent's fields for a browser: nobody sets our cookies but we. */
export function responseHeaders({ rawHeaders, headers }: http.IncomingMessage): string[] {
  const named = namedBy(headers.connection);
  return pairsOf(rawHeaders).flatMap(([name, value]) => {
    const key = name.toLowerCase();
    if (ofConnection.has(key) || named.has(key) || (key === 'set-cookie' && ours.test(value.trim()))) return [];
    return [name, value];
  });
}

/** A cookie header without the cookies that are ours. */
const withoutOurs = (value: string): string =>
  value
    .split(';')
    .filter((pair) => !ours.test(pair.trim()))
    .join(';')
    .trim();

const framing = new Set(['content-length', 'host', 'cookie']);

/** The fields that `Connection` names, which stay here too; what the message means is not among them. */
const namedBy = (connection: string | undefined): ReadonlySet<string> =>
  new Set(
    (connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim())
      .filter((name) => !framing.has(name)),
  );

function pairsOf(raw: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return pairs;
}
