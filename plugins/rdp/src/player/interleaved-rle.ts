import { Cursor, Malformed } from '../bytes.js';

/** Orders of interleaved run-length encoding (MS-RDPBCGR 2.2.9.1.1.3.1.2.4), as their codes with lengths of 16 bits. */
const order = {
  background: 0xf0,
  foreground: 0xf1,
  mask: 0xf2,
  colour: 0xf3,
  pixels: 0xf4,
  setForeground: 0xf6,
  setForegroundMask: 0xf7,
  dithered: 0xf8,
  mask1: 0xf9,
  mask2: 0xfa,
  white: 0xfd,
  black: 0xfe,
} as const;

/** Orders whose short forms count in pixels of eight. */
const countsEights = (code: number): boolean => code === order.mask || code === order.setForegroundMask;

export interface RleImage {
  readonly width: number;
  readonly height: number;
  /** 8, 15, 16 or 24. */
  readonly bitsPerPixel: number;
}

/**
 * Decodes a bitmap with interleaved run-length encoding into one value for each
 * pixel, rows from the bottom up. Pixels that the data leave out stay 0.
 */
export function decodeInterleaved(bytes: Uint8Array, image: RleImage): Uint32Array {
  const decoder = new Decoder(bytes, image);
  decoder.run();
  return decoder.pixels;
}

class Decoder {
  readonly pixels: Uint32Array;
  readonly #cursor: Cursor;
  readonly #width: number;
  readonly #white: number;
  readonly #read: () => number;
  #at = 0;
  #foreground: number;
  /** After one run of background, another begins with a pixel of foreground. */
  #insert = false;

  constructor(bytes: Uint8Array, { width, height, bitsPerPixel }: RleImage) {
    const cursor = new Cursor(bytes);
    this.#cursor = cursor;
    this.#width = width;
    this.pixels = new Uint32Array(width * height);
    this.#white = 2 ** bitsPerPixel - 1;
    this.#foreground = this.#white;
    this.#read = bitsPerPixel === 24 ? () => cursor.u24() : bitsPerPixel === 8 ? () => cursor.u8() : () => cursor.u16();
  }

  run(): void {
    let firstLine = true;
    while (this.#cursor.left > 0 && this.#at < this.pixels.length) {
      if (firstLine && this.#at >= this.#width) {
        firstLine = false;
        this.#insert = false;
      }
      const { code, length } = this.#order();
      if (code !== order.background) this.#insert = false;
      this.#draw(code, length);
    }
  }

  #order(): { code: number; length: number } {
    const cursor = this.#cursor;
    const first = cursor.u8();
    if (first >= 0xf0) return { code: first, length: first <= order.dithered ? cursor.u16() : 1 };
    const short = first >= 0xc0;
    const code = short ? order.setForeground + ((first >> 4) - 0xc) : order.background + (first >> 5);
    const bits = short ? first & 0x0f : first & 0x1f;
    if (countsEights(code)) return { code, length: bits > 0 ? bits * 8 : cursor.u8() + 1 };
    return { code, length: bits > 0 ? bits : cursor.u8() + (short ? 16 : 32) };
  }

  #draw(code: number, length: number): void {
    switch (code) {
      case order.background:
        return this.#background(length);
      case order.setForeground:
        this.#foreground = this.#read();
        return this.#xored(length, this.#foreground);
      case order.foreground:
        return this.#xored(length, this.#foreground);
      case order.setForegroundMask:
        this.#foreground = this.#read();
        return this.#masked(length);
      case order.mask:
        return this.#masked(length);
      case order.colour:
        return this.#filled(length, this.#read());
      default:
        return this.#drawPixels(code, length);
    }
  }

  #drawPixels(code: number, length: number): void {
    switch (code) {
      case order.pixels:
        this.#reserve(length);
        for (let count = length; count > 0; count -= 1) this.pixels[this.#at++] = this.#read();
        return;
      case order.dithered:
        return this.#dithered(length, this.#read(), this.#read());
      case order.mask1:
        return this.#mask(3, 8);
      case order.mask2:
        return this.#mask(5, 8);
      case order.white:
        return this.#filled(1, this.#white);
      case order.black:
        return this.#filled(1, 0);
      default:
        throw new Malformed(`no order of run-length encoding is ${code}`);
    }
  }

  #background(length: number): void {
    if (length === 0) throw new Malformed('a run of no pixels');
    if (this.#insert) this.#xored(1, this.#foreground);
    this.#xored(this.#insert ? length - 1 : length, 0);
    this.#insert = true;
  }

  /** Pixels of the line below, which is decoded before, changed by a colour. */
  #xored(length: number, colour: number): void {
    this.#reserve(length);
    const { pixels } = this;
    const width = this.#width;
    let at = this.#at;
    for (const end = at + length; at < end; at += 1) pixels[at] = (at < width ? 0 : (pixels[at - width] ?? 0)) ^ colour;
    this.#at = at;
  }

  #masked(length: number): void {
    for (let left = length; left > 0; left -= 8) this.#mask(this.#cursor.u8(), Math.min(8, left));
  }

  #mask(bits: number, count: number): void {
    for (let bit = 0; bit < count; bit += 1) this.#xored(1, (bits >> bit) & 1 ? this.#foreground : 0);
  }

  #filled(length: number, colour: number): void {
    this.#reserve(length);
    this.pixels.fill(colour, this.#at, this.#at + length);
    this.#at += length;
  }

  #dithered(length: number, one: number, other: number): void {
    this.#reserve(2 * length);
    for (let count = length; count > 0; count -= 1) {
      this.pixels[this.#at++] = one;
      this.pixels[this.#at++] = other;
    }
  }

  #reserve(count: number): void {
    if (count > this.pixels.length - this.#at) throw new Malformed('a run leaves the bitmap');
  }
}
