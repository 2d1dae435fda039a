import { asBuffer, Cursor, u16, u32 } from './bytes.js';
import { fastPathPdu, fragment, FragmentJoiner, readUpdates, updateCode } from './fast-path.js';
import { channelData, kindOf, mcs, readChannelData } from './mcs.js';
import { decodeBitmap, readBitmapUpdate, type BitmapData } from './player/bitmap.js';
import { readShareHeader, share, shareControlPdu, shareData, shareDataHeader, shareIdOf } from './share.js';
import { tpkt } from './wire.js';

/** How many bytes of pixels go into one PDU. */
const stripBytes = 12_000;

/** As an update that was spread over PDUs may grow. */
const maxUpdate = 2 ** 22;

/**
 * Repairs what the web client cannot take: bitmaps that are larger than their
 * rectangles, which it shears, and a Deactivate All of six bytes, by which it
 * dies. Everything else passes as it is. Follows one connection from its start.
 */
export class BitmapFixer {
  readonly #joiner = new FragmentJoiner(maxUpdate);
  /** PDUs whose update is not complete. */
  #held: Buffer[] = [];
  #shareId = 0;

  /** What to send instead of a PDU of the server, one message for each. */
  fix(pdu: Buffer): readonly Buffer[] {
    return pdu[0] === tpkt ? this.#slowPath(pdu) : this.#fastPath(pdu);
  }

  #slowPath(pdu: Buffer): readonly Buffer[] {
    if (kindOf(pdu) !== mcs.dataIndication) return [pdu];
    const { user, channel, payload } = readChannelData(pdu);
    if (payload.length < 6 || payload.readUInt16LE(0) !== payload.length) return [pdu];
    const { type, data } = readShareHeader(payload);
    if (type === share.demandActive) this.#shareId = shareIdOf(payload);
    if (type === share.deactivateAll && payload.length === 6) {
      const body = Buffer.concat([u32(this.#shareId), u16(1), Buffer.from([0])]);
      const whole = shareControlPdu(share.deactivateAll, payload.readUInt16LE(4), body);
      return [channelData(mcs.dataIndication, { user, channel }, whole)];
    }
    const update = payload.subarray(shareDataHeader);
    const draws = data?.type === shareData.update && data.compression === 0;
    return draws && new Cursor(update).u16() === updateCode.bitmap ? this.#bitmaps(update, [pdu]) : [pdu];
  }

  #fastPath(pdu: Buffer): readonly Buffer[] {
    const updates = readUpdates(pdu);
    const [update] = updates;
    const draws = update?.code === updateCode.bitmap && update.compression === 0;
    // Several updates in one PDU never hold bitmaps: these are long.
    if (!update || updates.length > 1 || !draws) return [...this.#release(), pdu];
    const whole = this.#joiner.join(update);
    if (update.fragmentation === fragment.single) return this.#bitmaps(update.data, [pdu]);
    this.#held.push(pdu);
    return whole ? this.#bitmaps(whole.data, this.#release()) : [];
  }

  #release(): Buffer[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #bitmaps(update: Uint8Array, original: readonly Buffer[]): readonly Buffer[] {
    const bitmaps = readBitmapUpdate(update);
    if (!bitmaps.some(isPadded)) return original;
    return bitmaps.flatMap((bitmap) => (isPadded(bitmap) ? strips(bitmap) : [bitmap])).flatMap(bitmapPdus);
  }
}

const isPadded = ({ left, right, top, bottom, width, height }: BitmapData): boolean =>
  right - left + 1 !== width || bottom - top + 1 !== height;

/** The visible part of a bitmap, uncompressed, from the top down in strips that fit in a PDU. */
function strips(bitmap: BitmapData): BitmapData[] {
  const { left, top, bitsPerPixel } = bitmap;
  const width = Math.min(bitmap.right - left + 1, bitmap.width);
  const height = Math.min(bitmap.bottom - top + 1, bitmap.height);
  const size = (bitsPerPixel + 7) >> 3;
  const stride = (width * size + 3) & ~3;
  const rows = Math.max(1, Math.floor(stripBytes / stride));
  const pixels = decodeBitmap(bitmap);
  return Array.from({ length: Math.ceil(height / rows) }, (_, index) => {
    const y = index * rows;
    const count = Math.min(rows, height - y);
    const bytes = Buffer.alloc(stride * count);
    for (let row = 0; row < count; row += 1) {
      // Strips are stored from the bottom up, like the bitmap itself.
      const from = (bitmap.height - 1 - (y + count - 1 - row)) * bitmap.width;
      for (let x = 0; x < width; x += 1) bytes.writeUIntLE(pixels[from + x] ?? 0, row * stride + x * size, size);
    }
    const place = { left, top: top + y, right: left + width - 1, bottom: top + y + count - 1 };
    return { ...place, width, height: count, bitsPerPixel, flags: 0, bytes };
  });
}

function bitmapPdus(bitmap: BitmapData): Buffer[] {
  const data = bitmapUpdate([bitmap]);
  if (data.length <= 0x7ff0) return [fastPathPdu([{ code: updateCode.bitmap, fragmentation: fragment.single, data }])];
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; at += 0x3000) {
    const last = at + 0x3000 >= data.length;
    const fragmentation = at === 0 ? fragment.first : last ? fragment.last : fragment.next;
    parts.push(fastPathPdu([{ code: updateCode.bitmap, fragmentation, data: data.subarray(at, at + 0x3000) }]));
  }
  return parts;
}

/** Writes a bitmap update. */
export function bitmapUpdate(bitmaps: readonly BitmapData[]): Buffer {
  const parts = bitmaps.flatMap((bitmap) => {
    const { left, top, right, bottom, width, height, bitsPerPixel, flags, bytes } = bitmap;
    const fields = [left, top, right, bottom, width, height, bitsPerPixel, flags, bytes.length];
    return [...fields.map(u16), asBuffer(bytes)];
  });
  return Buffer.concat([u16(updateCode.bitmap), u16(bitmaps.length), ...parts]);
}
