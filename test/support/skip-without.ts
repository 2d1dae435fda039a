import { appendFileSync } from 'node:fs';

export interface Missing {
  /** As the summary of `npm test` has it: skipped for want of this. */
  readonly name: string;
  /** How it is got, or why it cannot be. */
  readonly remedy: string;
  /** True where npm or Debian has it: then a test fails for want of it with `CI` set. */
  readonly obtainable: boolean;
}

/** Skips a test for want of something that is no program, loudly, and counted in the summary, as `needProgram` does. */
export function skipWithout(context: { skip(): unknown }, { name, remedy, obtainable }: Missing): never {
  const message = `${name} is missing: ${remedy}`;
  if (obtainable && process.env['CI']) throw new Error(message);
  const log = process.env['POSTERN_SKIP_LOG'];
  if (log) appendFileSync(log, `${JSON.stringify({ program: name, package: remedy })}\n`);
  process.stderr.write(`skipped: ${message}\n`);
  context.skip();
  // A runner's skip throws; one that does not must not run the test without it either.
  throw new Error(message);
}
