import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Path } from './interleave.js';
import { Product } from './product.js';
import { Resources } from './resources.js';
import { StockSshd } from './stock-sshd.js';

export interface ShellPath extends Path {
  /** Options of `ssh`, and whom to call. */
  readonly target: readonly string[];
}

/** A stock sshd that is called directly, and a node of the product, both on this machine. */
export class ShellPaths implements AsyncDisposable {
  private constructor(
    readonly paths: readonly [ShellPath, ShellPath],
    readonly directory: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly resources: Resources,
  ) {}

  static async start(): Promise<ShellPaths> {
    await using resources = new Resources();
    const sshd = resources.use(await StockSshd.start());
    const product = resources.use(await Product.start());
    await product.logIn();
    const target = ['-F', product.sshConfig, `${product.login}@${await product.node()}`];
    return new ShellPaths(
      [
        { name: 'direct to sshd', target: sshd.target, pids: [] },
        { name: 'Postern', target, pids: product.pids },
      ],
      sshd.directory,
      product.env,
      resources.move(),
    );
  }

  /** Runs a command over one path, its output thrown away. The first value of an option counts, so `options` win. */
  async ssh({ target }: ShellPath, options: readonly string[], command: readonly string[]): Promise<void> {
    // With a pipe for errors, a master that stays behind would keep this waiting.
    await this.#run('ssh', [...options, ...target, ...command]);
  }

  /** Sends so many bytes to a command that reads its input to the end. */
  async upload({ target }: ShellPath, options: readonly string[], bytes: number): Promise<void> {
    const script = 'head -c "$0" /dev/zero | exec ssh "$@"';
    await this.#run('sh', ['-c', script, `${bytes}`, ...options, ...target, 'cat >/dev/null']);
  }

  /** Begins a session that waits for input, and resolves once its command runs. */
  async open({ target }: ShellPath, options: readonly string[]): Promise<ChildProcess> {
    const args = [...options, ...target, 'echo there; exec cat'];
    const child = spawn('ssh', args, { env: this.#env, stdio: ['pipe', 'pipe', 'inherit'] });
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(ended)]);
    return child;
  }

  get #env(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], ...this.env };
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    const child = spawn(program, args, { env: this.#env, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resources[Symbol.asyncDispose]();
  }
}

function ended(): never {
  throw new Error('a session ended before it was asked to');
}
