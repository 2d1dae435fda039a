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
    // Some applications read it as the framing that it is not: CGI names both alike.
    if (key === 'content-length' && name.includes('_')) return [];
    if (ofConnection.has(key) || named.has(key) || identity.test(key)) return [];
    const left = key === 'cookie' ? withoutOurs(value) : value;
    return left === '' && key === 'cookie' ? [] : [name, left];
  });
}

/**
 * What is left of an agent's fields for a browser: nobody sets our cookies but
 * we, cookies are for the application's own host, and nobody clears what
 * belongs to its neighbours: `Clear-Site-Data` takes the cookies of the whole
 * registrable domain along.
 */
export function responseHeaders({ rawHeaders, headers }: http.IncomingMessage): string[] {
  const named = namedBy(headers.connection);
  return pairsOf(rawHeaders).flatMap(([name, value]) => {
    const key = name.toLowerCase();
    if (ofConnection.has(key) || named.has(key) || key === 'clear-site-data') return [];
    if (key !== 'set-cookie') return [name, value];
    return ours.test(value.trim()) ? [] : [name, ofHostAlone(value)];
  });
}

/** A `Set-Cookie` without `Domain`, which would send it to neighbours too, and push their own cookies out there. */
const ofHostAlone = (value: string): string =>
  value
    .split(';')
    .filter((part, at) => at === 0 || !/^\s*domain\s*(=|$)/i.test(part))
    .join(';');

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
