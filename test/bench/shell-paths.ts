import { spawn } from 'node:child_process';
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
    const env = { PATH: process.env['PATH'], ...this.env };
    // With a pipe for errors, a master that stays behind would keep this waiting.
    const child = spawn('ssh', [...options, ...target, ...command], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`ssh ${target.join(' ')} ended with ${code}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resources[Symbol.asyncDispose]();
  }
}
