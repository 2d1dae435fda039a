import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';

/**
 * Makes a directory a file system of its own, as small as said, until it is
 * disposed of. Where this machine does not let us mount one, the test is skipped
 * loudly, and counted as skipped in the summary.
 */
export function smallDisk(context: { skip(): unknown }, path: string, size: string): AsyncDisposable {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'postern-test', path], { stdio: 'pipe' });
  } catch (cause) {
    const why = `no file system can be mounted here: ${(cause as Error).message.trim().replaceAll('\n', ' ')}`;
    const log = process.env['POSTERN_SKIP_LOG'];
    if (log) appendFileSync(log, `${JSON.stringify({ program: 'mount', package: why })}\n`);
    process.stderr.write(`skipped: ${why}\n`);
    context.skip();
    // A runner's skip throws; one that does not must not run the test on the disk of the machine.
    throw new Error(why, { cause });
  }
  return {
    // Lazily: files are let go of a moment after they were closed, when what holds them is collected.
    [Symbol.asyncDispose]: () => Promise.resolve(void execFileSync('umount', ['-l', path], { stdio: 'pipe' })),
  };
}
