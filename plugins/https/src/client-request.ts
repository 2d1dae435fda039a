import type { Buffer } from 'node:buffer';
import {
  connectionOptions,
  HeaderFields,
  HttpRefusal,
  encodeRequestHead,
  readRequestHead,
  requestFraming,
  type BodyFraming,
  type RequestHead,
} from '@postern/plugin-sdk/http1';

/** One request of the client's, once its head is complete. */
export interface ClientRequest {
  readonly head: RequestHead;
  readonly framing: BodyFraming;
  /** The client waits for a 100 before it sends the body. */
  readonly continues: boolean;
  /** The connection ends behind it. */
  readonly close: boolean;
  /** It asks for a WebSocket, and does so properly. */
  readonly websocket: boolean;
  /** Nothing follows the head. */
  readonly bare: boolean;
}

/** Methods that are no business of an application, or would show it what we add. */
const refusedMethods: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK', 'PRI']);

/** Reads a head. Throws {@link HttpRefusal} for what has no single meaning. */
export function readClientRequest(bytes: Buffer): ClientRequest {
  const head = readRequestHead(bytes);
  if (refusedMethods.has(head.method)) throw new HttpRefusal(501, `${head.method} is not served here`);
  const framing = requestFraming(head);
  const { close, upgrade } = connectionOptions(head.version, head.fields);
  return {
    head,
    framing,
    close,
    continues: expectation(head),
    bare: framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0),
    websocket: framing.kind === 'none' && isHandshake(head, upgrade),
  };
}

function expectation({ fields, version }: RequestHead): boolean {
  const expected = fields.all('expect');
  if (expected.length === 0) return false;
  if (expected.length > 1 || expected[0]?.toLowerCase() !== '100-continue')
    throw new HttpRefusal(417, 'the only expectation is `100-continue`');
  return version === '1.1';
}

/** RFC 6455, section 4.1. Other upgrades, such as that to HTTP/2 in clear, are ignored as RFC 9110 allows. */
function isHandshake({ method, version, fields }: RequestHead, upgrade: string | undefined): boolean {
  if (method !== 'GET' || version !== '1.1' || upgrade?.toLowerCase() !== 'websocket') return false;
  const [key, ...keys] = fields.all('sec-websocket-key');
  const [wanted, ...versions] = fields.all('sec-websocket-version');
  if (keys.length > 0 || versions.length > 0 || wanted !== '13') return false;
  return /^[A-Za-z0-9+/]{22}==$/.test(key ?? '');
}

/**
 * The head for Node's own parser: what it has to know to find the end of the
 * body and to answer, and nothing that anybody could quarrel about.
 */
export function plainHead({ head, framing, close }: ClientRequest): Buffer {
  const fields = HeaderFields.of({
    Host: 'application',
    Connection: close ? 'close' : 'keep-alive',
    ...(framing.kind === 'length' && { 'Content-Length': String(framing.length) }),
    ...(framing.kind === 'chunked' && { 'Transfer-Encoding': 'chunked' }),
  });
  return encodeRequestHead({ method: head.method, target: '/', version: head.version, fields });
}
