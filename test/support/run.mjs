// `npm test`: installs what is missing where it may, then runs every check, and sums up.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInLanes } from './lanes.mjs';
import { suites } from './suites.mjs';

const full = process.argv.includes('--full');
const scratch = mkdtempSync(join(tmpdir(), 'postern-test-'));
const skips = join(scratch, 'skips.jsonl');
Object.assign(process.env, {
  POSTERN_SKIP_LOG: skips,
  // Debian has none of them: they are built once, by `npm run test:full`, but for mongosh, which is a large npm package.
  POSTERN_OPTIONAL_PROGRAMS: 'kube-apiserver,ferretdb,mongosh',
  ...(full && { POSTERN_TEST_FULL: '1' }),
});

function step(title, command, ...args) {
  console.log(`\n== ${title}`);
  const began = Date.now();
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
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
  step('ferretdb', 'bash', 'test/support/build-ferretdb.sh');
  return true;
}

const checks = [
  { title: 'types', command: 'npm', args: ['run', '--silent', 'check'] },
  { title: 'lint', command: 'npm', args: ['run', '--silent', 'lint'] },
  { title: 'dependencies', command: 'npm', args: ['run', '--silent', 'deps'] },
];

/** What a suite that broke off left no counts of is one failure more. */
function counts(jobs) {
  const sum = { passed: 0, failed: 0, retried: 0 };
  for (const { title, env } of jobs) {
    const path = env.POSTERN_MOCHA_REPORT;
    const stats = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { passes: 0, failures: 1, retried: [] };
    for (const test of stats.failed ?? [`${title} broke off`]) console.log(`failed: ${test}`);
    for (const [test, error] of stats.retried) console.log(`passed only when tried again: ${test} (first: ${error})`);
    sum.passed += stats.passes;
    sum.failed += stats.failures;
    sum.retried += stats.retried.length;
  }
  return sum;
}

function skipped() {
  if (!existsSync(skips)) return 0;
  const lines = readFileSync(skips, 'utf8').split('\n').filter(Boolean);
  for (const { program, package: source } of lines.map((line) => JSON.parse(line)))
    console.log(`skipped for want of ${program}: ${source}`);
  return lines.length;
}

const tests = suites(scratch);
const prepared = [installServers(), buildServers(), step('build', process.execPath, 'config/build.mjs')].every(Boolean);
const ran = await runInLanes([...tests, ...checks], Math.min(2, availableParallelism()), scratch);
const { passed, failed, retried } = counts(tests);
const missing = skipped();
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed, ${missing} skipped, ${retried} passed only when tried again`);
process.exitCode = prepared && ran && failed === 0 && passed > 0 ? 0 : 1;
