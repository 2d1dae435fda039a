// The tests in parts that can run side by side, each in a process of its own.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** By path; the first that fits has the file. What takes longest comes first, so that nothing long is left for the end. */
const SUITES = {
  'desktops and browsers': ['test/e2e/rdp', 'test/e2e/browser', 'plugins/rdp/'],
  'end to end': ['test/'],
  ssh: ['plugins/ssh/'],
  postgres: ['plugins/postgres/'],
  'cluster and tunnels': ['kernel/test/cluster/', 'kernel/test/tunnels/', 'kernel/test/api/', 'kernel/test/web/'],
  'audit and storage': ['kernel/test/audit/', 'kernel/test/storage/', 'kernel/test/recordings/'],
  plugins: ['plugins/'],
  'programs and contract': ['config/', 'plugin-sdk/', 'docs/'],
  kernel: [''],
};

const ROOTS = ['plugin-sdk/test', 'kernel/test', 'plugins', 'docs/examples', 'config/test', 'test'];

function testFiles() {
  return ROOTS.flatMap((root) =>
    readdirSync(root, { recursive: true })
      .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
      .map((path) => join(root, path)),
  ).sort();
}

/**
 * One job of `runInLanes` for each suite: mocha with the project's options and this suite's files.
 *
 * @param scratch where a suite finds its file of options, and leaves its counts as `<suite>.json`
 */
export function suites(scratch) {
  const options = JSON.parse(readFileSync('.mocharc.json', 'utf8'));
  const parts = new Map(Object.keys(SUITES).map((name) => [name, []]));
  for (const file of testFiles()) {
    const [name] = Object.entries(SUITES).find(([, prefixes]) => prefixes.some((prefix) => file.startsWith(prefix)));
    parts.get(name).push(file);
  }
  return [...parts]
    .filter(([, spec]) => spec.length > 0)
    .map(([name, spec]) => {
      const config = join(scratch, `${name}.mocharc.json`);
      writeFileSync(config, JSON.stringify({ ...options, spec }));
      return {
        title: `tests: ${name}`,
        command: process.execPath,
        // A test that a busy machine was too slow for may have a second try, and is named in the summary.
        args: [
          'node_modules/mocha/bin/mocha.js',
          ...['--config', config, '--reporter', 'test/support/reporter.cjs', '--retries', '1'],
          // What a test leaves open is its failure, by test/hooks.ts; the run does not wait for it.
          '--exit',
        ],
        env: { POSTERN_MOCHA_REPORT: join(scratch, `${name}.json`) },
      };
    });
}
