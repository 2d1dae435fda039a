import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { PosternError, type Invocation } from '@postern/plugin-sdk';

const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * Runs a program in the foreground, with this program's terminal. Resolves with
 * its exit code, or 128 and the signal's number, as a shell would say it.
 */
export async function runNative({ program, args, env }: Invocation): Promise<number> {
  const child = spawn(program, [...args], { stdio: 'inherit', env: { ...process.env, ...env } });
  // The terminal signals the child as well: only those that reach us alone need to be passed on.
  const listeners = passedOn.map((signal) => {
    const pass = (): void => {
      if (signal !== 'SIGINT' && signal !== 'SIGQUIT') child.kill(signal);
    };
    process.on(signal, pass);
    return () => process.off(signal, pass);
  });
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => reject(notStarted(program, cause)));
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    for (const off of listeners) off();
  }
}

function notStarted(program: string, cause: NodeJS.ErrnoException): PosternError {
  const text =
    cause.code === 'ENOENT'
      ? `${program} is not installed here, or not in PATH: install it and try again`
      : `${program} could not be started: ${cause.message}`;
  return PosternError.public('unavailable', text, cause);
}
