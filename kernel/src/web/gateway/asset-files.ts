import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file as browsers get it. */
export interface AssetFile {
  readonly type: string;
  /** A quoted hash of the content. */
  readonly etag: string;
  readonly body: Buffer;
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

/** The files of one directory, for everybody. Links that lead out of it lead nowhere. */
export class AssetFiles {
  readonly #root: string;

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
      const body = await readFile(file);
      return { type, etag: `"${createHash('sha256').update(body).digest('base64url')}"`, body };
    } catch {
      return undefined;
    }
  }
}
