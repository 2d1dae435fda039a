import { Cursor, Malformed } from '../bytes.js';
import { decodeInterleaved } from './interleaved-rle.js';
import { decodePlanar } from './planar.js';

const flag = { compressed: 0x0001, noHeader: 0x0400 } as const;

/** No screen is larger, and no update covers it more than twice. Bounds what hostile dimensions can cost. */
const maxSide = 8192;
const maxPixelsOfUpdate = 2 ** 24;

/** One rectangle of a bitmap update (MS-RDPBCGR 2.2.9.1.1.3.1.2.2). */
export interface BitmapData {
  readonly left: number;
  readonly top: number;
  /** Inclusive. */
  readonly right: number;
  readonly bottom: number;
  /** Of the source, which may be larger than the rectangle: what is more is padding. */
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads a bitmap update.
 *
 *     updateType u16 = 1 | count u16 | {left top right bottom width height bpp flags length (9 x u16) data}
 */
export function readBitmapUpdate(update: Uint8Array): BitmapData[] {
  const cursor = new Cursor(update, 2);
  const count = cursor.u16();
  let pixels = 0;
  const read: BitmapData[] = [];
  for (let index = 0; index < count; index += 1) {
    const bitmap = readBitmap(cursor);
    pixels += bitmap.width * bitmap.height;
    if (pixels > maxPixelsOfUpdate) throw new Malformed('an update of too many pixels');
    read.push(bitmap);
  }
  return read;
}

function readBitmap(cursor: Cursor): BitmapData {
  const [left, top, right, bottom] = [cursor.u16(), cursor.u16(), cursor.u16(), cursor.u16()];
  const [width, height, bitsPerPixel, flags] = [cursor.u16(), cursor.u16(), cursor.u16(), cursor.u16()];
  const bytes = cursor.take(cursor.u16());
  if (right < left || bottom < top) throw new Malformed('a rectangle of negative size');
  if (width === 0 || height === 0 || width > maxSide || height > maxSide)
    throw new Malformed(`a bitmap of ${width} by ${height} pixels`);
  if (![8, 15, 16, 24, 32].includes(bitsPerPixel)) throw new Malformed(`${bitsPerPixel} bits for a pixel`);
  return { left, top, right, bottom, width, height, bitsPerPixel, flags, bytes };
}

/** One value for each pixel of the source in the bitmap's own format (32 bits: `0xRRGGBB`), rows from the bottom up. */
export function decodeBitmap(bitmap: BitmapData): Uint32Array {
  const { bytes, flags, bitsPerPixel } = bitmap;
  if ((flags & flag.compressed) === 0) return rawPixels(bitmap);
  const data = (flags & flag.noHeader) === 0 ? new Cursor(bytes, 0).skip(8).rest() : bytes;
  return bitsPerPixel === 32 ? decodePlanar(data, bitmap) : decodeInterleaved(data, bitmap);
}

/** Rows of raw bitmaps are padded to four bytes. */
function rawPixels({ bytes, width, height, bitsPerPixel }: BitmapData): Uint32Array {
  const size = (bitsPerPixel + 7) >> 3;
  const padding = -(width * size) & 3;
  const cursor = new Cursor(bytes);
  const pixels = new Uint32Array(width * height);
  const read = {
    1: () => cursor.u8(),
    2: () => cursor.u16(),
    3: () => cursor.u24(),
    4: () => cursor.u32() & 0xff_ffff,
  };
  const next = read[size as keyof typeof read];
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels[at++] = next();
    cursor.skip(padding);
  }
  return pixels;
}

/** The colours of 256-colour sessions, each `0xRRGGBB`. */
export type Palette = Uint32Array;

/** Reads a palette update: updateType u16 | pad u16 | count u32 | {red green blue}. */
export function readPalette(update: Uint8Array): Palette {
  const cursor = new Cursor(update, 4);
  const count = cursor.u32();
  if (count > 256) throw new Malformed(`a palette of ${count} colours`);
  const palette = new Uint32Array(256);
  for (let index = 0; index < count; index += 1)
    palette[index] = (cursor.u8() << 16) | (cursor.u8() << 8) | cursor.u8();
  return palette;
}

/** What turns a pixel of some format into `0xRRGGBB`. */
export function colourOf(bitsPerPixel: number, palette: Palette): (pixel: number) => number {
  switch (bitsPerPixel) {
    case 8:
      return (pixel) => palette[pixel & 0xff] ?? 0;
    case 15:
      return (pixel) => (wide5(pixel >> 10) << 16) | (wide5(pixel >> 5) << 8) | wide5(pixel);
    case 16:
      return (pixel) => (wide5(pixel >> 11) << 16) | (wide6(pixel >> 5) << 8) | wide5(pixel);
    default:
      return (pixel) => pixel;
  }
}

const wide5 = (value: number): number => ((value & 31) << 3) | ((value & 31) >> 2);
const wide6 = (value: number): number => ((value & 63) << 2) | ((value & 63) >> 4);
