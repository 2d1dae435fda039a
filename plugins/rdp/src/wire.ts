import { Malformed } from './bytes.js';

/** First byte of a TPKT header (RFC 1006, section 6); everything else is fast-path. */
export const tpkt = 3;

/**
 * The length of the PDU that begins at `at`; undefined while its header is
 * incomplete. At most 65,535 bytes, since the formats know no more.
 *
 *     TPKT       03 00 length(u16be, all of it)                     MS-RDPBCGR 1.3.1.3
 *     fast-path  b0 (action in bits 0-1 = 0) length(1 or 2 bytes)   MS-RDPBCGR 2.2.8.1.2
 */
export function pduLength(bytes: Uint8Array, at = 0): number | undefined {
  const [first, second, third, fourth] = bytes.subarray(at, at + 4);
  if (first === undefined) return undefined;
  if (first === tpkt) return tpktLength(third, fourth);
  // The upper two bits speak of RDP's own encryption, which TLS replaces.
  if ((first & 0xc3) !== 0) throw new Malformed('neither a slow-path nor a fast-path PDU');
  if (second === undefined) return undefined;
  if ((second & 0x80) === 0) return atLeast(second, 3);
  return third === undefined ? undefined : atLeast(((second & 0x7f) << 8) | third, 4);
}

function tpktLength(high: number | undefined, low: number | undefined): number | undefined {
  return high === undefined || low === undefined ? undefined : atLeast((high << 8) | low, 7);
}

function atLeast(length: number, least: number): number {
  if (length < least) throw new Malformed(`a PDU of ${length} bytes`);
  return length;
}

/** What one chunk completed. */
export interface Split {
  /** Whole PDUs, in their order. */
  readonly pdus: readonly Buffer[];
  /** The same, as one piece. */
  readonly whole: Buffer;
}

/** Cuts a stream into PDUs. Holds less than one PDU; a chunk that completes none is kept without being copied. */
export class PduSplitter {
  #parts: Buffer[] = [];
  #held = 0;
  /** How many bytes there must be before it is worth looking again. */
  #needed = 1;

  push(chunk: Buffer): Split {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return { pdus: [], whole: Buffer.alloc(0) };
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    const pdus: Buffer[] = [];
    let at = 0;
    let length: number | undefined;
    while ((length = pduLength(bytes, at)) !== undefined && at + length <= bytes.length) {
      pdus.push(bytes.subarray(at, at + length));
      at += length;
    }
    this.#held = bytes.length - at;
    this.#parts = this.#held > 0 ? [bytes.subarray(at)] : [];
    this.#needed = length ?? this.#held + 1;
    return { pdus, whole: bytes.subarray(0, at) };
  }

  /** True between two PDUs. */
  get empty(): boolean {
    return this.#held === 0;
  }
}
