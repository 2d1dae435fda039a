import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sdk = fileURLToPath(new URL('../../', import.meta.url));
const snapshot = fileURLToPath(new URL('declarations.txt', import.meta.url));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** Compiling, packing and installing take a while, and the last asks the registry for what the package depends on. */
const full = process.env['POSTERN_TEST_FULL'] === '1';

(full ? describe : describe.skip)('the packed SDK', function () {
  this.timeout(300_000);
  let folder: string;
  let stage: string;
  /** A plugin with the packed SDK among its packages. */
  let plugin: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-sdk-'));
    stage = join(folder, 'stage');
    mkdirSync(stage);
    for (const file of ['package.json', 'README.md', 'CHANGELOG.md']) copyFileSync(join(sdk, file), join(stage, file));
    await run(process.execPath, [compiler, '-p', join(sdk, 'tsconfig.build.json'), '--outDir', join(stage, 'dist')]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('declares what the snapshot declares; a change of it is a change of the contract', () => {
    const now = declarations(join(stage, 'dist'));
    if (process.env['POSTERN_UPDATE_SNAPSHOTS'] === '1') writeFileSync(snapshot, now);
    assert.equal(
      now,
      readFileSync(snapshot, 'utf8'),
      'if this was meant: POSTERN_UPDATE_SNAPSHOTS=1, and CHANGELOG.md',
    );
  });

  it('is small, holds no sources, and works from plain JavaScript in a folder of its own', async () => {
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
      cwd: stage,
    });
    const [packed] = JSON.parse(stdout) as [{ filename: string; size: number; files: { path: string }[] }];
    assert.ok(packed.size < 150_000, `the package has ${packed.size} bytes`);
    const strangers = packed.files.filter(
      ({ path }) => !/^(dist\/.*\.(js|d\.ts)|package\.json|(README|CHANGELOG)\.md)$/.test(path),
    );
    assert.deepEqual(strangers, []);

    plugin = join(folder, 'plugin');
    cpSync(fileURLToPath(new URL('../fixtures/finger', import.meta.url)), plugin, { recursive: true });
    const versions = JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8')) as { dependencies: { zod: string } };
    const packages = [join(folder, packed.filename), `zod@${versions.dependencies.zod}`];
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], { cwd: plugin });
    // Without the condition that leads to the sources, and with nothing of this workspace in reach.
    const env = { ...process.env, NODE_OPTIONS: '' };
    const { stdout: report } = await run(process.execPath, ['--test', '--test-reporter=tap'], {
      cwd: plugin,
      env,
    }).catch((failure: { stdout: string }) => failure);
    assert.match(report, /# fail 0\n/, report);
    assert.match(report, /ok \d+ - holds a conversation/);
  });

  it('runs a plugin that brings a copy of its own, decorated or not', async () => {
    const host = join(folder, 'host');
    cpSync(fileURLToPath(new URL('../fixtures/host', import.meta.url)), host, { recursive: true });
    cpSync(join(plugin, 'node_modules'), join(host, 'node_modules'), { recursive: true });
    const { stdout } = await run(process.execPath, [join(host, 'check.mjs'), plugin], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    assert.doesNotMatch(stdout, /not ok/);
    assert.match(stdout, /index\.js: (?:2[5-9]|3\d) passed\ndecorated\.js: (?:2[5-9]|3\d) passed/);
  });
});

/** All declarations of a folder without their comments, file by file. */
function declarations(folder: string): string {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.d.ts') && statSync(join(folder, file)).isFile())
    .sort()
    .map(
      (file) => `// ${file}\n${readFileSync(join(folder, file), 'utf8').replaceAll(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '')}`,
    )
    .join('\n');
}
