import { PosternError } from '@postern/plugin-sdk';
import type { HeaderField, HeaderFields } from '@postern/plugin-sdk/http1';
import { isTrue, type ApiRequest } from './api-request.js';

/** The framings of `exec` and `attach` that can be followed here. Older ones say nothing about exit codes or windows. */
const understood: ReadonlySet<string> = new Set(['v5.channel.k8s.io', 'v4.channel.k8s.io']);

const maxCommand = 4096;

/** What runs in a container, by the words of the request. */
export interface RemoteCommand {
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly container: string;
  readonly command: readonly string[];
  readonly truncated: boolean;
}

/** The part of a request that is about `exec` or `attach`; undefined for other requests. */
export function remoteCommand(request: ApiRequest): RemoteCommand | undefined {
  if (request.kind !== 'resource' || !['exec', 'attach'].includes(request.subresource)) return undefined;
  const { query } = request;
  const command: string[] = [];
  let room = maxCommand;
  const words = query.getAll('command');
  for (const word of words.slice(0, 256)) {
    if (room <= 0) break;
    command.push(word.slice(0, room));
    room -= word.length;
  }
  return {
    terminal: isTrue(query.get('tty')),
    stdin: isTrue(query.get('stdin')),
    container: (query.get('container') ?? '').slice(0, 253),
    command,
    truncated: room < 0 || command.length < words.length,
  };
}

/** A head whose framing was narrowed to what can be followed. */
export interface Narrowed {
  readonly fields: HeaderFields;
  readonly offered: readonly string[];
}

/**
 * Offers the API server only those framings of a client's that can be followed
 * here, and no compression. Throws `invalid_argument` where none is left.
 */
export function narrowFramings(fields: HeaderFields, upgrade: string | undefined): Narrowed {
  const protocol = upgrade?.toLowerCase();
  if (protocol === 'websocket') return narrowed(fields, 'Sec-WebSocket-Protocol');
  if (protocol === 'spdy/3.1') return narrowed(fields, 'X-Stream-Protocol-Version');
  throw PosternError.public('invalid_argument', 'exec and attach need WebSocket or SPDY/3.1');
}

function narrowed(fields: HeaderFields, name: string): Narrowed {
  const offered = fields.tokens(name).filter((one) => understood.has(one));
  if (offered.length === 0)
    throw PosternError.public('invalid_argument', 'this client is too old: v4.channel.k8s.io or later is spoken here');
  const lower = name.toLowerCase();
  const kept = fields.without((one) => one === lower || one === 'sec-websocket-extensions');
  const values = lower === 'sec-websocket-protocol' ? [offered.join(', ')] : [...offered];
  return { fields: kept.with(...values.map((value): HeaderField => ({ name, value }))), offered };
}

/** Whether the API server agreed on something that was offered. */
export function agreed(fields: HeaderFields, offered: readonly string[]): boolean {
  const chosen = [...fields.all('sec-websocket-protocol'), ...fields.all('x-stream-protocol-version')];
  return (
    chosen.length === 1 && offered.includes((chosen[0] ?? '').toLowerCase()) && !fields.has('sec-websocket-extensions')
  );
}
