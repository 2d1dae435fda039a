import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { write } from '@postern/plugin-sdk';
import type { ConnectOptions, TestCluster } from '../../../test/support/cluster.js';
import type { TestLogin } from '../../../test/support/login.js';

/** A client of the protocol of lines. */
export class LineClient implements Disposable {
  readonly #lines: AsyncIterator<string>;

  constructor(readonly stream: Duplex) {
    stream.on('error', () => {});
    this.#lines = createInterface({ input: stream, crlfDelay: Infinity })[Symbol.asyncIterator]();
  }

  /** The next line, or `undefined` where the session is over. */
  async next(): Promise<string | undefined> {
    const line = await this.#lines.next();
    return line.done === true ? undefined : line.value;
  }

  async ask(line: string): Promise<string | undefined> {
    await write(this.stream, `${line}\n`);
    return this.next();
  }

  async send(line: string): Promise<void> {
    await write(this.stream, `${line}\n`);
  }

  [Symbol.dispose](): void {
    this.stream.destroy();
  }
}

/** Connects and says hello; the second member is what came back. */
export async function hello(
  cluster: TestCluster,
  login: Pick<TestLogin, 'certificate' | 'key'> | undefined,
  { user = 'reader', resource = 'one', ...options }: HelloOptions = {},
): Promise<readonly [LineClient, string | undefined]> {
  const client = new LineClient(await cluster.connect('lines', resource, login, options));
  return [client, await client.ask(`hello ${user}`)];
}

export interface HelloOptions extends ConnectOptions {
  readonly user?: string;
  readonly resource?: string;
}
