const { existsSync } = require('node:fs');
const module_ = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const dist = join(__dirname, '../dist');

/** Runs a program from its bundle. After a bare `npm ci` there is none yet: it is made first, which takes a second or two. */
exports.start = async (program) => {
  module_.enableCompileCache?.();
  const bundled = join(dist, `${program}.js`);
  if (!existsSync(bundled)) {
    const { bundle } = await import('../build.mjs');
    await bundle();
  }
  await import(pathToFileURL(bundled).href);
};
