import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { PosternError, write, type ExportOptions, type RecordedSession } from '@postern/plugin-sdk';
import { moments } from './frames.js';
import type { Screen } from './screen.js';

/** Desktops change seldom: ten pictures a second lose nothing that one can see. */
const framesPerSecond = 10;

/** Writes a video by way of ffmpeg, which must be installed. Rejects with `unavailable` where it is not. */
export async function exportMp4(session: RecordedSession, options: ExportOptions): Promise<void> {
  let video: Video | undefined;
  try {
    for await (const { ms, desktop } of moments(session, options.signal)) {
      if (desktop.screen.width === 1) continue;
      video ??= await Video.open(desktop.screen, options);
      await video.until(ms, desktop.screen);
      options.progress(session.durationMs > 0 ? Math.min(1, ms / session.durationMs) : 1);
    }
    if (!video) throw PosternError.public('not_found', 'the recording shows no picture');
    await video.finish(session.durationMs);
  } catch (cause) {
    video?.kill();
    throw cause;
  }
}

/** A running ffmpeg that is fed with pictures. */
class Video {
  #frames = 0;
  /** What is shown until the next change, in the size of the video. */
  #picture: Buffer;

  private constructor(
    private readonly program: ChildProcess,
    private readonly exit: Promise<unknown[]>,
    private readonly size: { readonly width: number; readonly height: number },
  ) {
    this.#picture = Buffer.alloc(size.width * size.height * 4);
  }

  static async open({ width, height }: Screen, { file }: ExportOptions): Promise<Video> {
    const input = ['-f', 'rawvideo', '-pix_fmt', 'rgba', '-s', `${width}x${height}`, '-r', `${framesPerSecond}`];
    const output = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-movflags', '+faststart'];
    // The format wants even sides.
    const pad = ['-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2'];
    const args = ['-loglevel', 'error', '-y', ...input, '-i', 'pipe:0', ...pad, ...output, '-f', 'mp4', `file:${file}`];
    const program = spawn('ffmpeg', args, { stdio: ['pipe', 'ignore', 'pipe'] });
    const exit = once(program, 'close');
    exit.catch(() => {});
    program.stderr?.resume();
    program.stdin?.on('error', () => {});
    try {
      await once(program, 'spawn');
    } catch (cause) {
      throw PosternError.public('unavailable', 'install ffmpeg to export videos, or export a png', cause);
    }
    return new Video(program, exit, { width, height });
  }

  /** Repeats the picture as it was up to a moment, then takes the new one. */
  async until(ms: number, screen: Screen): Promise<void> {
    await this.#repeat(ms);
    this.#take(screen);
  }

  async finish(durationMs: number): Promise<void> {
    await this.#repeat(Math.max(durationMs, ((this.#frames + 1) * 1000) / framesPerSecond));
    this.program.stdin?.end();
    const [code] = await this.exit;
    if (code !== 0) throw PosternError.public('unavailable', `ffmpeg failed with status ${String(code)}`);
  }

  kill(): void {
    this.program.kill('SIGKILL');
  }

  async #repeat(ms: number): Promise<void> {
    for (; this.#frames < Math.floor((ms * framesPerSecond) / 1000); this.#frames += 1)
      if (this.program.stdin) await write(this.program.stdin, this.#picture);
  }

  #take(screen: Screen): void {
    const { width, height } = this.size;
    if (screen.width === width && screen.height === height) {
      this.#picture = Buffer.from(screen.rgba);
      return;
    }
    // The desktop was resized: a video keeps its size.
    const picture = Buffer.alloc(width * height * 4);
    for (let y = 0; y < Math.min(height, screen.height); y += 1) {
      const from = y * screen.width * 4;
      picture.set(screen.rgba.subarray(from, from + Math.min(width, screen.width) * 4), y * width * 4);
    }
    this.#picture = picture;
  }
}
