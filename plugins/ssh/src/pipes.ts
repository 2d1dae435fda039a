import { spawn } from 'node:child_process';
import fs, { constants } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { PosternError } from '@postern/plugin-sdk';
import type { Login } from './login.js';
import { PipeOutput } from './pipe-output.js';

// Plain descriptors: a FileHandle would close the number behind the back of the stream that took it over.
const open = promisify(fs.open);
const close = promisify(fs.close);
const fchown = promisify(fs.fchown);
const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Three pipes between the agent and one program. */
export interface Pipes {
  /** The agent's ends. */
  readonly stdin: Socket;
  readonly stdout: PipeOutput;
  readonly stderr: Socket;
  /** The program's ends, in the order of its descriptors. */
  readonly ends: readonly number[];
  /** Closes the program's ends here, once the program has them. */
  handOver(): Promise<void>;
}

/**
 * Makes three pipes, says who holds them, and waits: the only way for Node to
 * come by a pipe is to open one that somebody else has made.
 */
const maker = `exec 6<&0
: | { exec 3<&0; : | { exec 4<&0; : | { exec 5<&0 <&6; read -r pid rest < /proc/self/stat; echo $pid; read -r rest; }; }; }`;

/**
 * Pipes for a program's standard streams, as sshd has them. Node gives its
 * children sockets, which cannot be opened by name: `/dev/stdin` and
 * `/dev/stderr`, as in `ssh node bash /dev/stdin`, would fail. Linux only,
 * where that is so.
 */
export async function openPipes(login: Login): Promise<Pipes> {
  const shell = spawn('/bin/sh', ['-c', maker], { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
  // A shell that could not be started has no output either.
  shell.on('error', () => {});
  const opened: number[] = [];
  try {
    const holder = await firstLine(shell.stdout);
    const end = async (descriptor: number, mode: number): Promise<number> => {
      const number = await open(`/proc/${holder}/fd/${descriptor}`, mode);
      opened.push(number);
      return number;
    };
    // The program's ends must block, as every program expects of its standard streams.
    const ends = [await end(3, O_RDONLY), await end(4, O_WRONLY), await end(5, O_WRONLY)];
    const own: readonly [number, number, number] = [
      await end(3, O_WRONLY | O_NONBLOCK),
      await end(4, O_RDONLY | O_NONBLOCK),
      await end(5, O_RDONLY | O_NONBLOCK),
    ];
    if (process.getuid?.() === 0) for (const descriptor of ends) await fchown(descriptor, login.uid, login.gid);
    return {
      stdin: new Socket({ fd: own[0], readable: false, writable: true }),
      stdout: new PipeOutput(own[1]),
      stderr: new Socket({ fd: own[2], readable: true, writable: false }),
      ends,
      handOver: async () => void (await Promise.all(ends.map((descriptor) => close(descriptor)))),
    };
  } catch (cause) {
    await Promise.allSettled(opened.map((descriptor) => close(descriptor)));
    throw cause;
  } finally {
    shell.stdin.destroy();
  }
}

/** The number of the process that holds the pipes. */
async function firstLine(output: Readable): Promise<string> {
  let seen = '';
  for await (const data of output) {
    seen += String(data);
    if (/^\d+\n/.test(seen)) return seen.trim();
  }
  throw new PosternError('unavailable', 'no pipes could be made');
}
