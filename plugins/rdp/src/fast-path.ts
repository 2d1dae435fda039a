import { Cursor, Malformed } from './bytes.js';

/** Codes of fast-path updates (MS-RDPBCGR 2.2.9.1.2.1). */
export const updateCode = { orders: 0, bitmap: 1, palette: 2, synchronize: 3, surfaceCommands: 4 } as const;

/** How an update is spread over several PDUs. */
export const fragment = { single: 0, last: 1, first: 2, next: 3 } as const;

export interface Update {
  readonly code: number;
  readonly fragmentation: number;
  /** Bulk compression of the data: 0 where there is none. */
  readonly compression: number;
  /** Shares memory with the PDU. */
  readonly data: Uint8Array;
}

/**
 * The updates in one fast-path PDU of the server.
 *
 *     header: code (bits 0-3), fragmentation (4-5), compression follows (7) | [compression u8] | size u16 | data
 */
export function readUpdates(pdu: Uint8Array): Update[] {
  const cursor = new Cursor(pdu, ((pdu[1] ?? 0) & 0x80) === 0 ? 2 : 3);
  const updates: Update[] = [];
  while (cursor.left > 0) {
    const header = cursor.u8();
    const compression = (header & 0x80) === 0 ? 0 : cursor.u8();
    const data = cursor.take(cursor.u16());
    updates.push({ code: header & 0x0f, fragmentation: (header >> 4) & 3, compression, data });
  }
  return updates;
}

/** The longest fast-path PDU. */
const maxLength = 0x7fff;

/** A fast-path PDU of uncompressed updates. */
export function fastPathPdu(updates: readonly Omit<Update, 'compression'>[]): Buffer {
  const length = updates.reduce((sum, { data }) => sum + 3 + data.length, 3);
  if (length > maxLength) throw new Malformed(`updates of ${length} bytes do not fit in one PDU`);
  const pdu = Buffer.allocUnsafe(length);
  pdu[0] = 0;
  pdu.writeUInt16BE(0x8000 | length, 1);
  let at = 3;
  for (const { code, fragmentation, data } of updates) {
    pdu[at] = code | (fragmentation << 4);
    pdu.writeUInt16LE(data.length, at + 1);
    pdu.set(data, at + 3);
    at += 3 + data.length;
  }
  return pdu;
}

/** Joins the fragments of updates. `limit` bounds what one update may grow to. */
export class FragmentJoiner {
  #parts: Uint8Array[] = [];
  #length = 0;
  #code: number | undefined;

  constructor(private readonly limit: number) {}

  /** The whole update that this one completes, if it does. The parts' memory is copied. */
  join({ code, fragmentation, data }: Update): { readonly code: number; readonly data: Uint8Array } | undefined {
    if (fragmentation === fragment.single) return { code, data };
    if (fragmentation === fragment.first) this.#clear(code);
    if (this.#code !== code) throw new Malformed('a fragment without a beginning');
    this.#length += data.length;
    if (this.#length > this.limit) throw new Malformed(`an update of more than ${this.limit} bytes`);
    this.#parts.push(data.slice());
    if (fragmentation !== fragment.last) return undefined;
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.#clear(undefined);
    return { code, data: whole };
  }

  #clear(code: number | undefined): void {
    this.#parts = [];
    this.#length = 0;
    this.#code = code;
  }
}
