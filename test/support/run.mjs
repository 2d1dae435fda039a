// `npm test`: installs what is missing where it may, then runs every check, cheapest first, and sums up.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const full = process.argv.includes('--full');
const scratch = mkdtempSync(join(tmpdir(), 'postern-test-'));
const skips = join(scratch, 'skips.jsonl');
const report = join(scratch, 'mocha.json');
const env = {
  ...process.env,
  POSTERN_SKIP_LOG: skips,
  // Neither npm nor Debian has it as a program: it is built once, by `npm run test:full`.
  POSTERN_OPTIONAL_PROGRAMS: 'kube-apiserver',
  POSTERN_MOCHA_REPORT: report,
  ...(full && { POSTERN_TEST_FULL: '1' }),
};

function step(title, command, ...args) {
  console.log(`\n== ${title}`);
  const began = Date.now();
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit', env });
  if (error) console.error(error.message);
  console.log(
    `== ${title}: ${status === 0 ? 'ok' : `FAILED (${signal ?? status})`}, ${((Date.now() - began) / 1000).toFixed(1)} s`,
  );
  return status === 0;
}

function installServers() {
  const isRootOnDebian = process.getuid?.() === 0 && existsSync('/etc/debian_version');
  if (isRootOnDebian) return step('servers', 'bash', 'test/support/install-servers.sh');
  console.log('not root on Debian: what a test needs and does not find, it skips by name');
  return true;
}

/** Tens of minutes, once: `--full` alone builds what no package has. Without it those tests are skipped by name. */
function buildServers() {
  if (!full || process.platform !== 'linux') return true;
  step('kubernetes', 'bash', 'test/support/build-kubernetes.sh');
  return true;
}

function summary() {
  const stats = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { passes: 0, failures: 1, retried: [] };
  const skipped = existsSync(skips)
    ? readFileSync(skips, 'utf8')
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
  for (const { program, package: source } of skipped) console.log(`skipped for want of ${program}: ${source}`);
  for (const [test, error] of stats.retried) console.log(`passed only when tried again: ${test} (first: ${error})`);
  return { passed: stats.passes, failed: stats.failures, skipped: skipped.length, retried: stats.retried.length };
}

const npx = (title, ...args) => step(title, process.execPath, ...args);
const steps = [
  installServers,
  buildServers,
  () => npx('types', 'node_modules/typescript/bin/tsc', '--noEmit'),
  () => npx('build', 'config/build.mjs'),
  () => step('lint', 'npm', 'run', '--silent', 'lint'),
  () => step('dependencies', 'npm', 'run', '--silent', 'deps'),
  // A test that a busy machine was too slow for may have a second try, and is named in the summary.
  () => npx('tests', 'node_modules/mocha/bin/mocha.js', '--reporter', 'test/support/reporter.cjs', '--retries', '1'),
];
// Everything runs, so that one run shows everything that is wrong.
const results = steps.map((run) => run());
const { passed, failed, skipped, retried } = summary();
rmSync(scratch, { recursive: true, force: true });
const ok = results.every(Boolean) && failed === 0 && passed > 0;
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped, ${retried} passed only when tried again`);
process.exitCode = ok ? 0 : 1;
