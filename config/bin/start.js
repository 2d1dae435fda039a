import { existsSync } from 'node:fs';
import module from 'node:module';

/** Runs a program from its bundle. After a bare `npm ci` there is none yet: it is made first, which takes a second or two. */
export async function start(program) {
  module.enableCompileCache?.();
  const bundled = new URL(`../dist/${program}.js`, import.meta.url);
  if (!existsSync(bundled)) {
    const { bundle } = await import('../build.mjs');
    await bundle();
  }
  await import(bundled.href);
}
