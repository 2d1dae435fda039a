import { Cursor, Malformed } from '../bytes.js';

/** Bits of the format header (MS-RDPEGDI 2.2.2.5.1). */
const format = { colourLoss: 0x07, subsampled: 0x08, runLengths: 0x10, noAlpha: 0x20 } as const;

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Decodes an RDP 6.0 bitmap (MS-RDPEGDI 3.1.9) into one value `0xRRGGBB` for
 * each pixel, rows from the bottom up. Alpha is read and dropped: desktops have
 * none.
 */
export function decodePlanar(bytes: Uint8Array, size: Size): Uint32Array {
  const cursor = new Cursor(bytes);
  const header = cursor.u8();
  const plane = (header & format.runLengths) !== 0 ? packedPlane : rawPlane;
  const loss = header & format.colourLoss;
  if (loss === 0 && (header & format.subsampled) !== 0) throw new Malformed('subsampled colours without their space');
  if ((header & format.noAlpha) === 0) plane(cursor, size);
  const first = plane(cursor, size);
  if (loss === 0) return joined(first, plane(cursor, size), plane(cursor, size));
  const half = { width: (size.width + 1) >> 1, height: (size.height + 1) >> 1 };
  const chroma = (header & format.subsampled) !== 0 ? half : size;
  const planes = { luma: first, orange: plane(cursor, chroma), green: plane(cursor, chroma) };
  return fromLumaChroma(planes, size, { stride: chroma.width, halved: chroma === half, shift: loss - 1 });
}

function rawPlane(cursor: Cursor, { width, height }: Size): Uint8Array {
  return cursor.take(width * height);
}

/**
 * A plane in runs. Each segment begins with a byte: how many values follow (upper
 * four bits) and how often the last one repeats. Rows but the first are coded as
 * differences from the row before, the sign in the lowest bit.
 */
function packedPlane(cursor: Cursor, { width, height }: Size): Uint8Array {
  const plane = new Uint8Array(width * height);
  for (let row = 0; row < plane.length; row += width) unpackRow(cursor, plane, row, width);
  return plane;
}

function unpackRow(cursor: Cursor, plane: Uint8Array, row: number, width: number): void {
  let value = 0;
  let at = row;
  const above = (): number => (row === 0 ? 0 : (plane[at - width] ?? 0));
  const end = row + width;
  while (at < end) {
    const { raw, run } = segment(cursor.u8());
    if (raw + run > end - at) throw new Malformed('a run leaves its row');
    for (let left = raw; left > 0; left -= 1, at += 1) {
      value = row === 0 ? cursor.u8() : difference(cursor.u8());
      plane[at] = above() + value;
    }
    for (let left = run; left > 0; left -= 1, at += 1) plane[at] = above() + value;
  }
}

function segment(control: number): { raw: number; run: number } {
  const run = control & 0x0f;
  const raw = control >> 4;
  return run === 1 || run === 2 ? { raw: 0, run: run * 16 + raw } : { raw, run };
}

const difference = (coded: number): number => (coded & 1 ? -((coded >> 1) + 1) : coded >> 1);

function joined(red: Uint8Array, green: Uint8Array, blue: Uint8Array): Uint32Array {
  const pixels = new Uint32Array(red.length);
  for (let at = 0; at < pixels.length; at += 1)
    pixels[at] = ((red[at] ?? 0) << 16) | ((green[at] ?? 0) << 8) | (blue[at] ?? 0);
  return pixels;
}

interface Planes {
  readonly luma: Uint8Array;
  readonly orange: Uint8Array;
  readonly green: Uint8Array;
}

interface Chroma {
  readonly stride: number;
  readonly halved: boolean;
  readonly shift: number;
}

/** From luma and two differences of colour (YCoCg), which were shifted to lose precision. */
function fromLumaChroma(planes: Planes, { width, height }: Size, { stride, halved, shift }: Chroma): Uint32Array {
  const pixels = new Uint32Array(width * height);
  const signed = (plane: Uint8Array, at: number): number => ((plane[at] ?? 0) << (24 + shift)) >> 24;
  for (let y = 0, at = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1, at += 1) {
      const from = halved ? (y >> 1) * stride + (x >> 1) : at;
      const orange = signed(planes.orange, from);
      const green = signed(planes.green, from);
      const luma = planes.luma[at] ?? 0;
      const rest = luma - green;
      pixels[at] = (clamp(rest + orange) << 16) | (clamp(luma + green) << 8) | clamp(rest - orange);
    }
  return pixels;
}

const clamp = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);
