import { asBuffer, Cursor, Malformed } from '../bytes.js';
import { desktopSize, readActive } from '../capabilities.js';
import { FragmentJoiner, readUpdates, updateCode } from '../fast-path.js';
import { kindOf, mcs, readChannelData } from '../mcs.js';
import { readShareHeader, share, shareData, shareDataHeader } from '../share.js';
import { tpkt } from '../wire.js';
import { readBitmapUpdate, readPalette, type BitmapData, type Palette } from './bitmap.js';
import { Screen } from './screen.js';

/** What one PDU did to the picture. */
export type Change =
  | { readonly kind: 'size'; readonly width: number; readonly height: number }
  | { readonly kind: 'pixels'; readonly bitmaps: readonly BitmapData[] }
  /** Something that this player cannot draw. */
  | { readonly kind: 'unknown'; readonly what: string };

/** The screen before its size is known. */
const nothing = new Screen(1, 1);

/** More than one update of a screen of the largest size has. */
const maxUpdate = 2 ** 24;

/**
 * Turns recorded PDUs into pictures. Pure: no streams, no clock. Throws
 * {@link Malformed} for bytes that no gateway records.
 */
export class Desktop {
  screen = nothing;
  #palette: Palette = new Uint32Array(256);
  readonly #joiner = new FragmentJoiner(maxUpdate);

  /** Takes the next PDU of the server. */
  feed(pdu: Uint8Array): Change[] {
    if (pdu[0] === tpkt) return this.#slowPath(asBuffer(pdu));
    const changes: Change[] = [];
    for (const update of readUpdates(pdu)) {
      if (update.compression & 0x20) throw new Malformed('a recorded update is compressed');
      const whole = this.#joiner.join(update);
      const change = whole && this.#draw(whole.code, whole.data);
      if (change) changes.push(change);
    }
    return changes;
  }

  #slowPath(pdu: Buffer): Change[] {
    if (kindOf(pdu) !== mcs.dataIndication) return [];
    const { payload } = readChannelData(pdu);
    // A licence, which has no share header.
    if (payload.length < 6 || payload.readUInt16LE(0) !== payload.length) return [];
    const { type, data } = readShareHeader(payload);
    if (type === share.demandActive) return this.#resize(payload);
    if (data?.type !== shareData.update) return [];
    const update = payload.subarray(shareDataHeader);
    const change = this.#draw(new Cursor(update).u16(), update);
    return change ? [change] : [];
  }

  #resize(payload: Buffer): Change[] {
    const size = desktopSize(readActive(payload));
    if (!size) return [];
    const { width, height } = size;
    if (width === this.screen.width && height === this.screen.height) return [];
    this.screen = new Screen(width, height);
    return [{ kind: 'size', width, height }];
  }

  #draw(code: number, data: Uint8Array): Change | undefined {
    if (code === updateCode.bitmap) {
      const bitmaps = readBitmapUpdate(data);
      for (const bitmap of bitmaps) this.screen.draw(bitmap, this.#palette);
      return { kind: 'pixels', bitmaps };
    }
    if (code === updateCode.palette) this.#palette = readPalette(data);
    if (code === updateCode.surfaceCommands) return { kind: 'unknown', what: 'surface commands' };
    if (code === updateCode.orders) return { kind: 'unknown', what: 'drawing orders' };
    return undefined;
  }
}
