import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** The root window of a display as a PPM, or undefined while there is none. */
export async function screenshot(display: string): Promise<Buffer | undefined> {
  const child = spawn('import', ['-display', display, '-window', 'root', '-depth', '8', 'ppm:-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  const [status] = (await once(child, 'close')) as [number | null];
  return status === 0 ? Buffer.concat(parts) : undefined;
}

/** The pixels of a PPM (P6), as `rrggbb`. */
export function pixelsOf(ppm: Buffer | undefined): { at(x: number, y: number): string } {
  const head = /^P6\s(\d+)\s(\d+)\s255\s/.exec(ppm?.toString('latin1', 0, 64) ?? '');
  if (!ppm || !head) return { at: () => '' };
  const width = Number(head[1]);
  return {
    at: (x, y) => ppm.toString('hex', head[0].length + (y * width + x) * 3, head[0].length + (y * width + x) * 3 + 3),
  };
}
