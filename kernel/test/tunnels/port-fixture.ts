import { once } from 'node:events';
import net from 'node:net';
import {
  AgentTable,
  localDialer,
  PublicPort,
  Router,
  type ConnectionRefused,
  type Handover,
  type PublicPortOptions,
  type RefusalReason,
} from '../../src/tunnels/index.js';

export const cluster = 'example.com';

export const silentLog = { debug(): void {}, info(): void {}, warn(): void {}, error(): void {} };

/** A public port on loopback whose agent, services and refusals the test sees. */
export class PortFixture implements AsyncDisposable {
  readonly handovers: Handover[] = [];
  readonly refused: ConnectionRefused[] = [];
  readonly #clients = new Set<net.Socket>();
  readonly #waiting: (() => void)[] = [];
  port!: PublicPort;

  /** Its agent serves `box.vault` and `Box`; everything that is handed over lands in {@link handovers}. */
  static async open(options: Partial<PublicPortOptions> = {}): Promise<PortFixture> {
    const fixture = new PortFixture();
    const dialer = localDialer((handover) => fixture.#took(handover));
    const agents = new AgentTable();
    agents.add(dialer, [{ kind: 'vault', label: 'box' }]);
    fixture.port = await PublicPort.listen(
      {
        router: new Router({ cluster, isKind: (id) => id === 'vault' }),
        services: { auth: dialer, web: dialer },
        agents,
        ...options,
        limits: { refusalWindowMs: 60_000, ...options.limits },
        refused: (event) => {
          fixture.refused.push(event);
          fixture.#wake();
        },
      },
      { host: '127.0.0.1', port: 0 },
    );
    return fixture;
  }

  /** A connected client; `from` is one of 127.0.0.0/8. */
  async connect(from = '127.0.0.1'): Promise<net.Socket> {
    const socket = net.connect({ port: this.port.address.port, host: '127.0.0.1', localAddress: from, noDelay: true });
    this.#clients.add(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  /** Sends and half-closes nothing; resolves to everything that the port answered until it closed. */
  async answerTo(...parts: readonly (string | Buffer)[]): Promise<string> {
    const socket = await this.connect();
    for (const part of parts) socket.write(part);
    return untilClosed(socket);
  }

  async handover(index = 0): Promise<Handover> {
    return this.#until(() => this.handovers[index]);
  }

  async refusal(reason: RefusalReason): Promise<ConnectionRefused> {
    return this.#until(() => this.refused.find((event) => event.reason === reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.port[Symbol.asyncDispose]();
  }

  #took(handover: Handover): void {
    this.handovers.push(handover);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** Everything that comes until the other side closes, as Latin-1. */
export async function untilClosed(socket: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // Not `once` of node:events, which rejects on the reset that often precedes a close.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

/** Exactly `count` bytes. */
export async function readBytes(socket: net.Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let have = 0;
  socket.resume();
  while (have < count) {
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      const onClose = (): void => reject(new Error(`closed after ${have} of ${count} bytes`));
      socket.once('close', onClose);
      socket.once('data', (data) => {
        socket.off('close', onClose);
        socket.pause();
        resolve(data);
      });
      socket.resume();
    });
    chunks.push(chunk);
    have += chunk.length;
  }
  const all = Buffer.concat(chunks);
  if (all.length > count) socket.unshift(all.subarray(count));
  return all.subarray(0, count);
}
