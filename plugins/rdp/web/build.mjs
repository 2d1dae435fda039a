// Bundles the page of a desktop into web/dist: a script, a style sheet, and IronRDP's WebAssembly as a file of its own.
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');

const notice =
  '/*! With the web client of IronRDP (https://github.com/Devolutions/IronRDP), licensed as MIT OR Apache-2.0. */';

/** Its package has the WebAssembly inside of a string, which pages that load nothing but files may not compile. */
const extracted = (directory) => ({
  name: 'extracted',
  setup({ onLoad }) {
    onLoad({ filter: /iron-remote-desktop-rdp\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const [string, base64] = /"data:application\/wasm;base64,([A-Za-z0-9+/=]+)"/.exec(text) ?? [];
      if (string === undefined) throw new Error(`no WebAssembly in ${path}`);
      await writeFile(join(directory, 'ironrdp.wasm'), Buffer.from(base64, 'base64'));
      return { contents: text.replace(string, 'new URL("./ironrdp.wasm", import.meta.url)'), loader: 'js' };
    });
  },
});

export async function bundlePage() {
  const scratch = await mkdtemp(join(here, '.build-'));
  try {
    const outdir = join(scratch, 'dist');
    await build({
      absWorkingDir: here,
      entryPoints: ['desktop-element.ts', 'desktop.css'],
      outdir,
      bundle: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      minify: true,
      legalComments: 'inline',
      banner: { js: notice },
      plugins: [extracted(scratch)],
      logLevel: 'warning',
    });
    await rename(join(scratch, 'ironrdp.wasm'), join(outdir, 'ironrdp.wasm'));
    await rename(dist, join(scratch, 'old')).catch(() => {});
    // Another build may have come first, and what it made is as good.
    await rename(outdir, dist).catch((cause) => {
      if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST') throw cause;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Builds, unless nothing has changed since. */
export async function bundlePageIfStale() {
  const built = await stat(join(dist, 'ironrdp.wasm')).catch(() => undefined);
  if (!built) return bundlePage();
  for (const name of await readdir(here))
    if (/\.(ts|css|mjs)$/.test(name) && (await stat(join(here, name))).mtimeMs > built.mtimeMs) return bundlePage();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePage();
