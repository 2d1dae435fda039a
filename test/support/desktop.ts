import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** The root window of a display as a PPM, or undefined while there is none. */
export const screenshot = (display: string): Promise<Buffer | undefined> =>
  printedBy('import', ['-display', display, '-window', 'root', '-depth', '8', 'ppm:-']);

/** A picture in a file, of whatever format. */
export const pixelsOfFile = async (path: string): Promise<Pixels> =>
  pixelsOf(await printedBy('convert', [path, '-depth', '8', 'ppm:-']));

/** What a video ends with. */
export const lastFrameOf = async (path: string): Promise<Pixels> =>
  pixelsOf(
    await printedBy('ffmpeg', [
      ...['-loglevel', 'error', '-sseof', '-0.25', '-i', path],
      ...['-frames:v', '1', '-f', 'image2pipe', '-c:v', 'ppm', '-'],
    ]),
  );

/** All that a program prints, or undefined where it fails. */
async function printedBy(program: string, args: readonly string[]): Promise<Buffer | undefined> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  const [status] = (await once(child, 'close')) as [number | null];
  return status === 0 ? Buffer.concat(parts) : undefined;
}

/** What programs on a display can paste, or undefined where there is nothing. */
export async function pasted(display: string): Promise<string | undefined> {
  const reader = spawn('timeout', ['5', 'xclip', '-selection', 'clipboard', '-o'], {
    env: { ...process.env, DISPLAY: display },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  reader.stdout.on('data', (data) => (text += String(data)));
  const [status] = (await once(reader, 'close')) as [number | null];
  return status === 0 ? text : undefined;
}

/** Copies a text on a display. It is there until this is disposed of: whoever owns a selection must stay. */
export function copied(text: string, display: string): AsyncDisposable {
  const owner = spawn('xclip', ['-selection', 'clipboard', '-quiet'], {
    env: { ...process.env, DISPLAY: display },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const gone = once(owner, 'close');
  owner.stdin.end(text);
  return {
    async [Symbol.asyncDispose]() {
      owner.kill('SIGKILL');
      await gone;
    },
  };
}

/** A picture of three bytes (RGB) for each pixel, rows from the top down. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Buffer;
  /** A pixel as `rrggbb`. */
  at(x: number, y: number): string;
}

export const pixels = (width: number, height: number, rgb: Buffer): Pixels => ({
  width,
  height,
  rgb,
  at: (x, y) => rgb.toString('hex', (y * width + x) * 3, (y * width + x) * 3 + 3),
});

/** The pixels of a PPM (P6); none of a picture that there is not. */
export function pixelsOf(ppm: Buffer | undefined): Pixels {
  const head = /^P6\s(\d+)\s(\d+)\s255\s/.exec(ppm?.toString('latin1', 0, 64) ?? '');
  if (!ppm || !head) return pixels(0, 0, Buffer.alloc(0));
  return pixels(Number(head[1]), Number(head[2]), ppm.subarray(head[0].length));
}

/** The same of RGBA. */
export function opaque(width: number, height: number, rgba: Buffer): Pixels {
  const rgb = Buffer.alloc(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) rgba.copy(rgb, to, from, from + 3);
  return pixels(width, height, rgb);
}

/** A picture in which every pixel is unlike its neighbours, as a PPM. */
export function testCard(width: number, height: number): Buffer {
  const rgb = Buffer.alloc(width * height * 3);
  for (let y = 0, to = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      rgb[to++] = (x * 255) / (width - 1);
      rgb[to++] = (y * 255) / (height - 1);
      rgb[to++] = x ^ y;
    }
  return Buffer.concat([Buffer.from(`P6 ${width} ${height} 255\n`), rgb]);
}

/** How many pixels of two pictures are not the same; `Infinity` where their sizes are not. */
export function differences(one: Pixels, other: Pixels): number {
  if (one.width !== other.width || one.height !== other.height || one.width === 0) return Number.POSITIVE_INFINITY;
  let count = 0;
  for (let at = 0; at < one.rgb.length; at += 3)
    if (one.rgb.readUIntBE(at, 3) !== other.rgb.readUIntBE(at, 3)) count += 1;
  return count;
}

/** How far two pictures of one size are from each other on average, of 255. */
export function distance(one: Pixels, other: Pixels): number {
  if (one.rgb.length !== other.rgb.length) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let at = 0; at < one.rgb.length; at += 1) sum += Math.abs((one.rgb[at] ?? 0) - (other.rgb[at] ?? 0));
  return sum / one.rgb.length;
}
