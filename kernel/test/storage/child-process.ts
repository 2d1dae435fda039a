import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of `children/` that runs in a process of its own. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  /** Every complete line that was read. */
  readonly lines: string[] = [];

  /** With a limit, no file that the child writes can grow past it. */
  constructor(program: URL, args: readonly string[], limitKilobytes?: number) {
    const command = [process.execPath, ...process.execArgv, fileURLToPath(program), ...args];
    const limited = ['/bin/sh', '-c', `ulimit -f ${limitKilobytes ?? 0} && exec "$@"`, 'sh', ...command];
    const [file = '', ...rest] = limitKilobytes === undefined ? command : limited;
    this.#process = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#closed = once(this.#process, 'close');
    if (!this.#process.stdout) throw new Error('no stdout');
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** The next line; undefined at the end of the output. */
  async line(): Promise<string | undefined> {
    const next = await this.#lines.next();
    if (next.done) return undefined;
    this.lines.push(next.value);
    return next.value;
  }

  /** SIGKILL: no handler, no flush, no goodbye. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** Closes the child's input, reads the rest of its output, and waits for its end. */
  async end(): Promise<void> {
    this.#process.stdin?.end();
    while ((await this.line()) !== undefined);
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.end();
  }
}
