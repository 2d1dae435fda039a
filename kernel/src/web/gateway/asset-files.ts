import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file as browsers get it. */
export interface AssetFile {
  readonly type: string;
  /** A quoted hash of the content. */
  readonly etag: string;
  /** The same for everybody who asks: not to be changed. */
  readonly body: Buffer;
}

/** What is known of a file, good for as long as the file stays what it was. */
interface Kept {
  readonly version: string;
  readonly file: Promise<AssetFile>;
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** One step of a path: no dot at its beginning, nothing that a file system could read otherwise. */
const step = /^[A-Za-z0-9_@][A-Za-z0-9_@.-]{0,127}$/;

const maxSteps = 8;
const maxBytes = 64 * 1024 * 1024;

/**
 * The files of one directory, for everybody. Links that lead out of it lead
 * nowhere. Each is read once and kept until it changes, however many ask.
 */
export class AssetFiles {
  readonly #root: string;
  /** By what a file is really called: there are no more than the directory has. */
  readonly #kept = new Map<string, Kept>();

  /** `root`: a `file:` URL. */
  constructor(root: URL) {
    this.#root = fileURLToPath(root);
  }

  /** `path`: with slashes, below the directory and as it was asked for. `undefined` where there is no such file. */
  async find(path: string): Promise<AssetFile | undefined> {
    const steps = path.split('/');
    const type = types[extname(path)];
    if (type === undefined || steps.length > maxSteps || !steps.every((one) => step.test(one))) return undefined;
    try {
      const root = await realpath(this.#root);
      const file = await realpath(join(root, ...steps));
      if (!file.startsWith(root + sep)) return undefined;
      const found = await stat(file);
      if (!found.isFile() || found.size > maxBytes) return undefined;
      return await this.#keep(file, type, [found.ino, found.size, found.mtimeMs].join(' '));
    } catch {
      return undefined;
    }
  }

  #keep(path: string, type: string, version: string): Promise<AssetFile> {
    const known = this.#kept.get(path);
    if (known?.version === version) return known.file;
    const file = load(path, type);
    this.#kept.set(path, { version, file });
    file.catch(() => {
      if (this.#kept.get(path)?.file === file) this.#kept.delete(path);
    });
    return file;
  }
}

async function load(path: string, type: string): Promise<AssetFile> {
  const body = await readFile(path);
  return { type, etag: `"${createHash('sha256').update(body).digest('base64url')}"`, body };
}

/** As much of a file as waits for one browser that does not take it. */
const pieceBytes = 65_536;

/** A file for one browser: views of what is kept, each when the one before has gone. */
export function streamOf({ body }: AssetFile): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < body.length) controller.enqueue(body.subarray(at, (at += pieceBytes)));
        if (at >= body.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
