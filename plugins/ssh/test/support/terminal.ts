import { spawn, type IPty } from '@lydell/node-pty';
import type { OpenSsh } from './openssh.js';
import { clientEnv } from './openssh.js';

const open = new Set<TypedTerminal>();

/** Ends what a failed test has left. */
export async function closeTerminals(): Promise<void> {
  for (const terminal of open) terminal.kill();
  await Promise.all([...open].map(({ exit }) => exit));
}

/** The stock client in a terminal of its own, with somebody who types and reads. */
export class TypedTerminal {
  #seen = '';
  #from = 0;
  #wake: () => void = () => {};
  readonly exit: Promise<number>;

  private constructor(private readonly pty: IPty) {
    open.add(this);
    pty.onData((data) => {
      this.#seen += data;
      this.#wake();
    });
    this.exit = new Promise((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
    void this.exit.then(() => open.delete(this));
  }

  static open(client: OpenSsh, login: string, command: readonly string[], more: readonly string[] = []): TypedTerminal {
    const args = client.arguments(login, command, more);
    return new TypedTerminal(spawn('ssh', args, { name: 'xterm-256color', cols: 100, rows: 40, env: clientEnv }));
  }

  /** A program of the machine that runs ssh itself, such as `sh -c 'stty …; exec ssh …'`. */
  static run(program: string, args: readonly string[]): TypedTerminal {
    return new TypedTerminal(spawn(program, [...args], { name: 'xterm', cols: 100, rows: 40, env: clientEnv }));
  }

  /** Everything that was shown. */
  get seen(): string {
    return this.#seen;
  }

  type(text: string): void {
    this.pty.write(text);
  }

  resize(columns: number, rows: number): void {
    this.pty.resize(columns, rows);
  }

  kill(): void {
    this.pty.kill('SIGKILL');
  }

  /** Waits until this is shown after what was found before, and returns it. */
  async shows(pattern: RegExp): Promise<string> {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const found = pattern.exec(this.#seen.slice(this.#from));
      if (found) {
        this.#from += found.index + found[0].length;
        return found[0];
      }
      if (Date.now() > deadline) throw new Error(`${pattern} was not shown in ${JSON.stringify(this.#seen)}`);
      await Promise.race([
        new Promise<void>((resolve) => (this.#wake = resolve)),
        new Promise<void>((resolve) => setTimeout(resolve, 500).unref()),
      ]);
    }
  }
}
