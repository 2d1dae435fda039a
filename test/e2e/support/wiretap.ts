import { once } from 'node:events';
import net from 'node:net';

/** What went over one connection. */
export interface TappedConnection {
  /** From the side that connected. */
  readonly sent: Buffer[];
  readonly received: Buffer[];
  /** Resolves when all has been said. */
  readonly closed: Promise<unknown>;
}

/** A port that leads to another one, and keeps every byte of every connection that goes through it. */
export class Wiretap implements AsyncDisposable {
  readonly connections: TappedConnection[] = [];
  readonly #sockets = new Set<net.Socket>();
  readonly #server: net.Server;

  private constructor(to: number) {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      const connection: TappedConnection = { sent: [], received: [], closed: bothClosed(near, far) };
      this.connections.push(connection);
      this.#lead(near, far, connection.sent);
      this.#lead(far, near, connection.received);
    });
  }

  static async open(to: number): Promise<Wiretap> {
    const tap = new Wiretap(to);
    tap.#server.listen(0, '127.0.0.1');
    await once(tap.#server, 'listening');
    return tap;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #lead(from: net.Socket, to: net.Socket, kept: Buffer[]): void {
    this.#sockets.add(from);
    from.on('data', (data: Buffer) => kept.push(data));
    from.on('error', () => to.destroy());
    from.once('close', () => this.#sockets.delete(from));
    from.pipe(to);
  }
}

const bothClosed = (...sockets: readonly net.Socket[]): Promise<unknown> =>
  Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
