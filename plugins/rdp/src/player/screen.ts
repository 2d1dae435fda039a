import { Malformed } from '../bytes.js';
import { colourOf, decodeBitmap, type BitmapData, type Palette } from './bitmap.js';

const maxSide = 8192;

/** A picture in memory: RGBA, rows from the top down. Black and opaque at first. */
export class Screen {
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  /** The same memory, a pixel at a time: on little-endian machines `0xAABBGGRR`. */
  readonly #pixels: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    if (width < 1 || height < 1 || width > maxSide || height > maxSide)
      throw new Malformed(`a desktop of ${width} by ${height} pixels`);
    const memory = new ArrayBuffer(width * height * 4);
    this.rgba = new Uint8ClampedArray(memory);
    this.#pixels = new Uint32Array(memory).fill(0xff00_0000);
  }

  /** Draws a bitmap. What lies outside of the screen is left out. */
  draw(bitmap: BitmapData, palette: Palette): void {
    const { left, top, width, height } = bitmap;
    const columns = Math.min(bitmap.right - left + 1, width, this.width - left);
    const rows = Math.min(bitmap.bottom - top + 1, height, this.height - top);
    const source = decodeBitmap(bitmap);
    const colour = colourOf(bitmap.bitsPerPixel, palette);
    for (let y = 0; y < rows; y += 1) {
      let from = (height - 1 - y) * width;
      let to = (top + y) * this.width + left;
      for (let x = 0; x < columns; x += 1) {
        const rgb = colour(source[from++] ?? 0);
        this.#pixels[to++] = 0xff00_0000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >>> 16);
      }
    }
  }

  /** A copy that stays as it is. */
  snapshot(): Uint8ClampedArray<ArrayBuffer> {
    return this.rgba.slice();
  }

  restore(rgba: Uint8ClampedArray): void {
    this.rgba.set(rgba);
  }
}
