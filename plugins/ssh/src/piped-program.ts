import { spawn, type ChildProcess } from 'node:child_process';
import { PosternError } from '@postern/plugin-sdk';
import type { Launch } from './launch.js';
import { openPipes, type Pipes } from './pipes.js';
import type { Login } from './login.js';
import { endGroup, signalGroup, type Exit, type Program } from './program.js';

/** Starts a program without a terminal, as the leader of a session and a process group of its own. */
export async function startPiped(launch: Launch, login: Login, env: Record<string, string>): Promise<Program> {
  const pipes = await openPipes(login);
  try {
    const child = spawn(launch.program, [...launch.args], {
      cwd: '/',
      env,
      detached: true,
      stdio: [...pipes.ends],
    });
    return programOf(await started(child), child, pipes);
  } catch (cause) {
    for (const stream of [pipes.stdin, pipes.stdout, pipes.stderr]) stream.destroy();
    throw new PosternError('unavailable', 'a program could not be started', { cause });
  } finally {
    await pipes.handOver();
  }
}

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      // From here on an error is a signal that could not be delivered.
      child.on('error', () => {});
      resolve(child.pid ?? 0);
    });
  });
}

function programOf(pid: number, child: ChildProcess, pipes: Pipes): Program {
  const ended = new Promise<Exit>((resolve) => {
    const onExit = (status: number | null, signal: NodeJS.Signals | null): void =>
      resolve(signal === null ? { status: status ?? 255 } : { signal });
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
    else child.once('exit', onExit);
  });
  const streams = [pipes.stdin, pipes.stdout, pipes.stderr];
  for (const stream of streams) stream.on('error', () => {});
  let running = true;
  void ended.then(() => (running = false));
  return {
    pid,
    input: pipes.stdin,
    output: pipes.stdout,
    errors: pipes.stderr,
    ended,
    signal: (name) => void (running && signalGroup(pid, name)),
    hangUp: async (graceMs) => {
      for (const stream of streams) stream.destroy();
      if (running) await endGroup(pid, ended, graceMs);
    },
  };
}
