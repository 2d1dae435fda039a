#!/usr/bin/env node
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const quick = join(__dirname, '../dist/quick.cjs');

/** Native clients wait for this one command: it does not wait for the rest. */
const done = existsSync(quick) && process.argv.includes('--stdio') && require(quick).quick(process.argv.slice(2));

if (done) void done.then((code) => (process.exitCode = code));
else void require('./start.js').start('psh');
