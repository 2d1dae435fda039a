import { PosternError } from '@postern/plugin-sdk';
import type { PostgresAsk } from './protocol.js';
import { code, cstring, int32, maxStartupBytes } from './wire.js';

/** The first message of a connection, which has no type byte. */
export type FirstMessage =
  | { readonly kind: 'encryption'; readonly method: 'ssl' | 'gss' }
  | { readonly kind: 'cancel'; readonly connection: number; readonly secret: Buffer }
  | { readonly kind: 'startup'; readonly minor: number; readonly parameters: ReadonlyMap<string, string> };

const malformed = (what: string): PosternError =>
  PosternError.public('protocol_violation', `invalid startup packet: ${what}`);

/** Checks the length that a first message announces, before anything of that size is waited for. */
export function firstMessageLength(head: Buffer): number {
  const length = head.readUInt32BE(0);
  if (length < 8 || length > maxStartupBytes) throw malformed(`a length of ${length} bytes`);
  return length;
}

/** Reads a whole first message, its length included. Strict: what the server might read otherwise is refused. */
export function readFirstMessage(packet: Buffer): FirstMessage {
  const kind = packet.readUInt32BE(4);
  if (kind === code.ssl || kind === code.gss) {
    if (packet.length !== 8) throw malformed('a request for encryption has 8 bytes');
    return { kind: 'encryption', method: kind === code.ssl ? 'ssl' : 'gss' };
  }
  if (kind === code.cancel) return readCancel(packet);
  if (kind >>> 16 !== 3)
    throw PosternError.public(
      'protocol_violation',
      `unsupported frontend protocol ${kind >>> 16}.${kind & 0xffff}: server supports 3.0 to 3.2`,
    );
  return { kind: 'startup', minor: kind & 0xffff, parameters: readParameters(packet.subarray(8)) };
}

/** `Int32 process id, Byte4..256 secret`. */
function readCancel(packet: Buffer): FirstMessage {
  if (packet.length < 16 || packet.length > 12 + 256) throw malformed('a request to cancel has 16 to 268 bytes');
  return { kind: 'cancel', connection: packet.readUInt32BE(8), secret: Buffer.from(packet.subarray(12)) };
}

/** Pairs of strings, closed by an empty name at the very end. */
function readParameters(body: Buffer): ReadonlyMap<string, string> {
  const text = body.toString('utf8');
  // A name that was replaced while decoding would be decided as one thing and sent as another.
  if (!Buffer.from(text).equals(body)) throw malformed('its text is not UTF-8');
  if (body.at(-1) !== 0) throw malformed('it does not end with a zero byte');
  const words = text.slice(0, -1).split('\0');
  if (words.pop() !== '' || words.length % 2 !== 0) throw malformed('names and values do not pair up');
  const parameters = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at] ?? '';
    if (name === '') throw malformed('a parameter without a name');
    if (parameters.has(name)) throw malformed(`${name} is given twice`);
    parameters.set(name, words[at + 1] ?? '');
  }
  return parameters;
}

/** What the parameters ask for. An empty database means the one named after the user, as in PostgreSQL. */
export function askOf(parameters: ReadonlyMap<string, string>): PostgresAsk {
  const user = parameters.get('user') ?? '';
  if (user === '') throw PosternError.public('invalid_argument', 'no PostgreSQL user name specified in startup packet');
  return {
    user,
    database: parameters.get('database') || user,
    replication: wantsReplication(parameters.get('replication')),
  };
}

/**
 * True unless PostgreSQL would surely read the value as "no": it takes any
 * unambiguous beginning of `false`, `no` and `off` in any case, and 0.
 */
export function wantsReplication(value: string | undefined): boolean {
  return value !== undefined && !/^(f|fa|fal|fals|false|n|no|of|off|0)$/i.test(value);
}

/** Options of later minor versions begin with `_pq_.`; none is known here. */
export const isProtocolOption = (name: string): boolean => name.startsWith('_pq_.');

/** What the client set besides what was decided, for the server and for the log. */
export function settingsOf(parameters: ReadonlyMap<string, string>): Record<string, string> {
  const decided = ['user', 'database', 'replication'];
  return Object.fromEntries([...parameters].filter(([name]) => !decided.includes(name) && !isProtocolOption(name)));
}

/**
 * The StartupMessage for the server: the user and the database that were
 * decided, and the client's settings. Version 3.0, which every server speaks;
 * later ones only lengthen a key that clients never see.
 */
export function startupMessage(ask: PostgresAsk, parameters: ReadonlyMap<string, string>): Buffer {
  const pairs: [string, string][] = [
    ['user', ask.user],
    ['database', ask.database],
  ];
  if (ask.replication) pairs.push(['replication', parameters.get('replication') ?? 'true']);
  pairs.push(...Object.entries(settingsOf(parameters)));
  const body = Buffer.concat([...pairs.flatMap(([name, value]) => [cstring(name), cstring(value)]), Buffer.alloc(1)]);
  return Buffer.concat([int32(8 + body.length), int32(code.version3), body]);
}
