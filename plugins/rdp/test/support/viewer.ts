import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Programs, until } from './programs.js';

/** A picture as a PPM (P6). */
export type Picture = Buffer;

/** A display on which a client shows its window. */
export class Viewer implements AsyncDisposable {
  private constructor(private readonly programs: Programs) {}

  static async start(display: number): Promise<Viewer> {
    const viewer = new Viewer(await Programs.at(display));
    viewer.programs.run('Xvfb', viewer.display, '-screen', '0', '800x600x24', '-nolisten', 'tcp');
    await until(() => viewer.picture().then(Boolean));
    return viewer;
  }

  get display(): string {
    return this.programs.display;
  }

  /** What is on a display now, or undefined while there is none. Not asked at once: it stops all clients. */
  async picture(display = this.display): Promise<Picture | undefined> {
    await sleep(300);
    const args = ['-display', display, '-window', 'root', '-depth', '8', 'ppm:-'];
    return promisify(execFile)('import', args, { encoding: 'buffer', maxBuffer: 1 << 24 }).then(
      ({ stdout }) => stdout,
      () => undefined,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.programs[Symbol.asyncDispose]();
  }
}

/** The pixels of a picture at some places, as `rrggbb`. */
export function pixelsAt(picture: Picture | undefined, places: readonly (readonly number[])[]): string[] {
  const head = /^P6\s(\d+)\s(\d+)\s255\s/.exec(picture?.toString('latin1', 0, 64) ?? '');
  if (!picture || !head) return [];
  const width = Number(head[1]);
  return places.map(([x = 0, y = 0]) => {
    const at = head[0].length + (y * width + x) * 3;
    return picture.toString('hex', at, at + 3);
  });
}
