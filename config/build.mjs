// Bundles the two programs into config/dist: one file to start with, the rest loaded by the command that needs it.
import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const sdk = join(here, '../plugin-sdk/src');

/** Packages with native parts, or that look for files of their own: they stay where npm put them. */
const external = ['@lydell/node-pty', '@node-rs/argon2', '@photostructure/sqlite', 'ssh2', 'esbuild', 'tsx'];

/** CommonJS packages inside a module need a `require` of their own. */
const banner = `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`;

const shared = {
  absWorkingDir: join(here, '..'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['postern:source'],
  banner: { js: banner },
  logLevel: 'warning',
};

/** What is imported on demand is another program's business. */
const declarationsOnly = {
  name: 'declarations-only',
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined));
  },
};

/**
 * Imports each name of the plugin SDK from the file that has it. Chunks are cut
 * by which files reach each other: through the SDK's table of contents, an error
 * class would bring the schema library with it into the smallest command.
 */
async function withoutTableOfContents() {
  const index = await readFile(join(sdk, 'index.ts'), 'utf8');
  const files = new Map();
  for (const [, names, from] of index.matchAll(/export \{([^}]*)\} from '(\.[^']*)'/g))
    for (const name of names.split(',')) files.set(name.replace(/\btype\b/, '').trim(), join(sdk, from));
  const direct = (statement, names) => {
    const wanted = names.split(',').map((name) => name.trim());
    const values = wanted.filter((name) => name !== '' && !name.startsWith('type '));
    if (!values.every((name) => files.has(name))) return statement;
    const imports = values.map((name) => `import { ${name} } from ${JSON.stringify(files.get(name))};`);
    // As many lines as before, so that positions stay right.
    return imports.join(' ') + statement.replaceAll(/[^\n]/g, '');
  };
  return {
    name: 'without-table-of-contents',
    setup({ onLoad }) {
      onLoad({ filter: /\/(kernel|config)\/src\/.*\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        return { loader: 'ts', contents: text.replaceAll(/import \{([^}]*)\} from '@postern\/plugin-sdk';/g, direct) };
      });
    },
  };
}

/** The plugins' summaries, so that the user's program starts without loading a plugin. */
async function summaries(scratch) {
  const outfile = join(scratch, 'summaries.mjs');
  await build({ ...shared, entryPoints: ['config/src/summaries.ts'], outfile, plugins: [declarationsOnly] });
  return (await import(pathToFileURL(outfile).href)).summaries;
}

/** The pages that plugins have for browsers, each of which knows how it is made. */
async function pages() {
  const plugins = join(here, '../plugins');
  for (const plugin of await readdir(plugins)) {
    const script = join(plugins, plugin, 'web/build.mjs');
    if (!(await stat(script).catch(() => undefined))) continue;
    const { bundlePageIfStale } = await import(pathToFileURL(script).href);
    await bundlePageIfStale();
  }
}

export async function bundle() {
  await pages();
  // Beside the real one, so that packages are found; renamed at the end, so that nobody runs half a build.
  const scratch = await mkdtemp(join(here, '.build-'));
  try {
    const both = {
      ...shared,
      outdir: join(scratch, 'dist'),
      external,
      plugins: [await withoutTableOfContents()],
      define: { POSTERN_PLUGINS: JSON.stringify(await summaries(scratch)) },
      minifySyntax: true,
      minifyWhitespace: true,
      keepNames: true,
      sourcemap: 'linked',
      legalComments: 'linked',
    };
    await build({
      ...both,
      entryPoints: { postern: 'config/src/postern.ts', psh: 'config/src/psh.ts' },
      splitting: true,
    });
    // One file and no modules: their loader alone takes ten milliseconds.
    await build({
      ...both,
      entryPoints: { quick: 'config/src/quick.ts' },
      format: 'cjs',
      banner: {},
      outExtension: { '.js': '.cjs' },
    });
    const dist = join(here, 'dist');
    await rename(dist, join(scratch, 'old')).catch(() => {});
    // Another build may have come first, and what it made is as good.
    await rename(join(scratch, 'dist'), dist).catch((cause) => {
      if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST') throw cause;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Builds, unless nothing has changed since. */
export async function bundleIfStale() {
  const built = await stat(join(here, 'dist/quick.cjs')).catch(() => undefined);
  const folders = ['kernel/src', 'plugin-sdk/src', 'plugins', 'config/src'].map((folder) => join(here, '..', folder));
  for (const folder of built ? folders : [])
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.name.endsWith('.ts') && (await stat(join(entry.parentPath, entry.name))).mtimeMs > built.mtimeMs)
        return bundle();
  if (!built) await bundle();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
