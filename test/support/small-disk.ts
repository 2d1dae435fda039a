import { execFileSync } from 'node:child_process';
import { skipWithout } from './skip-without.js';

/**
 * Makes a directory a file system of its own, as small as said, until it is
 * disposed of. Where this machine does not let us mount one, the test is skipped.
 */
export function smallDisk(context: { skip(): unknown }, path: string, size: string): AsyncDisposable {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'postern-test', path], { stdio: 'pipe' });
  } catch (cause) {
    const remedy = (cause as Error).message.trim().replaceAll('\n', ' ');
    skipWithout(context, { name: 'the right to mount a file system', remedy, obtainable: false });
  }
  return {
    // Lazily: files are let go of a moment after they were closed, when what holds them is collected.
    [Symbol.asyncDispose]: () => Promise.resolve(void execFileSync('umount', ['-l', path], { stdio: 'pipe' })),
  };
}
