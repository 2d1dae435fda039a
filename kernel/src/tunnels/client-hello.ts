import { parseHello, type Hello } from './hello-message.js';

/** The longest ClientHello that is read, in bytes, records and all. */
export const maxHelloBytes = 65_536;

const maxRecordBytes = 16_384;
const recordHeader = 5;
const handshakeHeader = 4;

/**
 * What the first bytes of a connection are.
 *
 * - `more`: a ClientHello so far, incomplete.
 * - `not-tls`: no TLS handshake record begins here.
 * - `bad`: TLS, and not a ClientHello that anybody should answer.
 */
export type ClientHello =
  | ({ readonly kind: 'hello' } & Hello)
  | { readonly kind: 'more' }
  | { readonly kind: 'not-tls' }
  | { readonly kind: 'bad'; readonly reason: string };

const more = { kind: 'more' } as const;
const bad = (reason: string): ClientHello => ({ kind: 'bad', reason });

/**
 * Reassembles a ClientHello from the records of one connection (RFC 8446,
 * section 5.1). Keeps its place between calls, so that a hello that arrives
 * byte by byte costs no more than one that arrives at once.
 *
 *     record:    type(1) = 22  version(2) = 3,x  length(2)  fragment
 *     handshake: type(1) = 1   length(3)  body
 */
export class ClientHelloReader {
  /** Where the first record that is not complete yet begins. */
  #record = 0;
  /** Start and end of the fragments before it. */
  readonly #fragments: { readonly start: number; readonly end: number }[] = [];
  #collected = 0;
  /** The length of the handshake message with its header, once that has arrived. */
  #length: number | undefined;

  /** Takes all bytes of the connection so far: each call's `head` begins with the one before. */
  read(head: Buffer): ClientHello {
    for (;;) {
      const fragment = this.#fragment(head);
      if ('kind' in fragment) return fragment;
      const { start, end } = fragment;
      const arrived = Math.min(end, head.length);
      const have = this.#collected + arrived - start;
      if (this.#length === undefined && have >= handshakeHeader) {
        const header = this.#assemble(head, handshakeHeader, { start, end: arrived });
        if (header.readUInt8(0) !== 1) return bad('the first handshake message is not a ClientHello');
        this.#length = handshakeHeader + header.readUIntBE(1, 3);
      }
      if (this.#length !== undefined) {
        if (this.#length > maxHelloBytes) return bad(`a ClientHello of ${this.#length} bytes was announced`);
        if (have >= this.#length) return parse(this.#assemble(head, this.#length, { start, end: arrived }));
      }
      if (arrived < end) return more;
      this.#fragments.push(fragment);
      this.#collected += end - start;
      this.#record = end;
    }
  }

  /** The bounds of the fragment in the record at hand, or why there are none. */
  #fragment(head: Buffer): { readonly start: number; readonly end: number } | ClientHello {
    const at = this.#record;
    if (at + recordHeader > maxHelloBytes) return bad('the ClientHello is too long');
    const type = head[at];
    const major = head[at + 1];
    if ((type ?? 22) !== 22 || (major ?? 3) !== 3)
      return at === 0 ? { kind: 'not-tls' } : bad('the ClientHello is cut by another record');
    if (head.length < at + recordHeader) return more;
    const length = head.readUInt16BE(at + 3);
    if (length === 0) return bad('a handshake record is empty');
    if (length > maxRecordBytes) return bad(`a record of ${length} bytes was announced`);
    return { start: at + recordHeader, end: at + recordHeader + length };
  }

  #assemble(head: Buffer, length: number, last: { readonly start: number; readonly end: number }): Buffer {
    const parts = [...this.#fragments, last].map(({ start, end }) => head.subarray(start, end));
    return parts.length === 1 && parts[0] ? parts[0].subarray(0, length) : Buffer.concat(parts, length);
  }
}

function parse(message: Buffer): ClientHello {
  try {
    return { kind: 'hello', ...parseHello(message.subarray(handshakeHeader)) };
  } catch (cause) {
    return bad(cause instanceof RangeError ? cause.message : 'the ClientHello is malformed');
  }
}
