import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/**
 * Stands in for DNS where a native client takes names from nothing else: a
 * SOCKS 5 proxy (RFC 1928) to which every name is this machine.
 */
export class EveryNameIsHere implements AsyncDisposable {
  readonly #sockets = new Set<net.Socket>();
  /** The names that were asked for. */
  readonly names: string[] = [];

  private constructor(private readonly server: net.Server) {
    server.on('connection', (socket) => {
      this.#keep(socket);
      this.#serve(socket).catch(() => socket.destroy());
    });
  }

  static async start(): Promise<EveryNameIsHere> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new EveryNameIsHere(server);
  }

  /** As `mosquitto_pub --proxy` and curl take it. */
  get url(): string {
    return `socks5h://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  async #serve(client: net.Socket): Promise<void> {
    const [, methods = 0] = await taken(client, 2);
    await taken(client, methods);
    client.write(Buffer.from([5, 0]));
    const [, , , kind, length = 0] = await taken(client, 5);
    // A name: what the client looks up by itself does not come here.
    if (kind !== 3) throw new Error(`an address of kind ${kind}`);
    this.names.push((await taken(client, length)).toString());
    const port = (await taken(client, 2)).readUInt16BE();
    const server = this.#keep(net.connect(port, '127.0.0.1'));
    await once(server, 'connect');
    client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
    client.pipe(server).pipe(client);
    client.once('close', () => server.destroy());
    server.once('close', () => client.end());
  }

  #keep(socket: net.Socket): net.Socket {
    this.#sockets.add(socket.on('error', () => {}));
    return socket.once('close', () => this.#sockets.delete(socket));
  }
}

async function taken(socket: net.Socket, bytes: number): Promise<Buffer> {
  for (;;) {
    const found = bytes === 0 ? Buffer.alloc(0) : (socket.read(bytes) as Buffer | null);
    if (found) return found;
    if (socket.readableEnded || socket.destroyed) throw new Error('the client is gone');
    await once(socket, 'readable');
  }
}
