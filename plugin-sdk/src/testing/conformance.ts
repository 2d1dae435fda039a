import type { Plugin } from '../plugin.js';
import type { AnyProtocol } from '../protocol.js';
import { Bench } from './bench.js';
import { checkGroups, type Check } from './checks/index.js';
import { trapped } from './crash-trap.js';
import type { Harness } from './harness.js';

/** The functions of a test runner that the kit uses. */
export interface Runner {
  describe(title: string, body: () => void): void;
  it(title: string, body: (this: unknown, context?: unknown) => Promise<void>): void;
  before(body: () => Promise<void>): void;
  after(body: () => Promise<void>): void;
}

/** How one check came out. */
export interface CheckResult {
  readonly name: string;
  /** Nothing where the plugin passed or the check was left out. */
  readonly failure?: Error;
  /** Why the check was left out. */
  readonly skipped?: string;
}

/**
 * Declares the tests that every protocol plugin must pass: with mocha, vitest
 * and their like by itself, with another runner when that is given. All of them
 * run the session code of a real agent, with fakes around it.
 */
export function conformance<P extends AnyProtocol>(
  plugin: Plugin<P>,
  harness: Harness<P>,
  runner: Runner = globalRunner(),
): void {
  assureExemptions(harness);
  let bench: Bench<AnyProtocol> | undefined;
  runner.describe(`${plugin.protocol.id} as a plugin`, () => {
    runner.before(async () => void (bench = await openBench(plugin, harness)));
    runner.after(async () => bench?.[Symbol.asyncDispose]());
    for (const { title, checks } of checkGroups)
      runner.describe(title, () => {
        for (const check of checks) {
          const skipped = reasonToSkip(check, harness, plugin);
          if (skipped !== undefined) runner.it(`${check.name} (left out: ${skipped})`, skip);
          else
            runner.it(check.name, async function (this: unknown) {
              allowTime(this);
              if (!bench) throw new Error('the resource was not started');
              const started = bench;
              await trapped(() => check.run(started));
            });
        }
      });
  });
}

/** Runs the same checks without a runner, or those of them that are named, and says how each came out. */
export async function checkConformance<P extends AnyProtocol>(
  plugin: Plugin<P>,
  harness: Harness<P>,
  names?: readonly string[],
): Promise<readonly CheckResult[]> {
  assureExemptions(harness);
  const all = checkGroups.flatMap(({ checks }) => checks);
  for (const name of names ?? [])
    if (!all.some((check) => check.name === name)) throw new TypeError(`there is no check "${name}"`);
  await using bench = await openBench(plugin, harness);
  const results: CheckResult[] = [];
  for (const check of all) {
    if (names && !names.includes(check.name)) continue;
    const { name } = check;
    const skipped = reasonToSkip(check, harness, plugin);
    if (skipped !== undefined) results.push({ name, skipped });
    else results.push(await outcomeOf(name, () => trapped(() => check.run(bench))));
  }
  return results;
}

async function outcomeOf(name: string, run: () => Promise<void>): Promise<CheckResult> {
  try {
    await run();
    return { name };
  } catch (cause) {
    return { name, failure: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}

/** The checks are written for any protocol; what fits this one is decided at run time by its own schemas. */
async function openBench<P extends AnyProtocol>(plugin: Plugin<P>, harness: Harness<P>): Promise<Bench<AnyProtocol>> {
  return (await Bench.open(plugin, harness)) as unknown as Bench<AnyProtocol>;
}

function reasonToSkip(check: Check, harness: Harness, plugin: Plugin): string | undefined {
  return harness.exempt?.[check.name] ?? check.missing?.(harness, plugin);
}

/** An exemption for a check that does not exist, or that nobody is exempt from, is a mistake of the harness. */
function assureExemptions(harness: Harness): void {
  const exemptible = checkGroups.flatMap(({ checks }) => checks).filter((check) => check.exemptible === true);
  for (const name of Object.keys(harness.exempt ?? {}))
    if (!exemptible.some((check) => check.name === name)) throw new TypeError(`no plugin is exempt from "${name}"`);
}

function globalRunner(): Runner {
  const names = globalThis as unknown as Record<string, unknown>;
  const found = {
    describe: names['describe'],
    it: names['it'],
    before: names['before'] ?? names['beforeAll'],
    after: names['after'] ?? names['afterAll'],
  };
  for (const [name, value] of Object.entries(found))
    if (typeof value !== 'function') throw new TypeError(`there is no global ${name}: give the runner's functions`);
  return found as Runner;
}

/** Some checks wait for time-outs of their own, longer than a runner likes by default. */
function allowTime(context: unknown): void {
  if (hasMethod(context, 'timeout')) context.timeout(60_000);
}

async function skip(this: unknown): Promise<void> {
  if (hasMethod(this, 'skip')) this.skip();
}

function hasMethod<N extends string>(value: unknown, name: N): value is Record<N, (argument?: unknown) => void> {
  return typeof value === 'object' && value !== null && name in value && typeof (value as never)[name] === 'function';
}
