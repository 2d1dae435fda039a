import { PosternError } from '@postern/plugin-sdk';

/** What the programs exit with; docs/exit-codes.md tells users. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The exit code for something that was thrown. */
export function exitCodeOf(cause: unknown): number {
  const { code } = PosternError.from(cause);
  if (code === 'aborted') return exitCodes.interrupted;
  return code === 'invalid_argument' ? exitCodes.usage : exitCodes.failed;
}
