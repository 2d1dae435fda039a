import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ProxyProcessOptions, ProxyProcessReport } from './proxy-process.js';

/** A proxy in a process of its own, which ends with the test. */
export class ProxyChild implements AsyncDisposable {
  readonly #lines: AsyncIterator<string>;
  readonly #errors: string[] = [];
  port = 0;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    this.#lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text));
  }

  static async start(options: ProxyProcessOptions): Promise<ProxyChild> {
    const program = fileURLToPath(new URL('./proxy-process.ts', import.meta.url));
    const flags = [
      '--expose-gc',
      '--import',
      'tsx',
      '--conditions=postern:source',
      '--disable-warning=ExperimentalWarning',
    ];
    const child = new ProxyChild(spawn(process.execPath, [...flags, program]));
    child.port = (await child.#ask(JSON.stringify(options))).port;
    return child;
  }

  report(): Promise<ProxyProcessReport> {
    return this.#ask('stats');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.stdin.end();
    await closed;
  }

  async #ask(line: string): Promise<ProxyProcessReport> {
    this.child.stdin.write(`${line}\n`);
    const next = await this.#lines.next();
    if (next.done === true) throw new Error(`the proxy ended: ${this.#errors.join('')}`);
    return JSON.parse(next.value) as ProxyProcessReport;
  }
}
