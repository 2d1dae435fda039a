import net from 'node:net';
import type { DialFrame } from './control-frames.js';
import type { Handover, Take } from './handover.js';
import { ticketPreamble } from './preamble.js';

const connectMs = 10_000;

/** The connections that an agent opened to a proxy because the proxy asked for them. */
export class DialBack {
  /** By connection id: who takes the messages that come on other connections. */
  readonly #live = new Map<number, ((payload: Buffer) => void) | undefined>();

  constructor(
    private readonly take: Take,
    private readonly maxConnections = 10_000,
  ) {}

  /** Opens the connection, presents the ticket, and hands it on; calls `decline` with a reason instead where it cannot. */
  dial(
    proxy: net.NetConnectOpts & { readonly port: number },
    frame: DialFrame,
    decline: (reason: string) => void,
  ): void {
    const { connection, ticket } = frame;
    if (this.#live.has(connection)) return decline('it has this connection already');
    if (this.#live.size >= this.maxConnections) return decline(`it has ${this.maxConnections} connections already`);
    const socket = net.connect({ ...proxy, allowHalfOpen: true, noDelay: true, keepAlive: true });
    socket.pause();
    this.#live.set(connection, undefined);
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${connectMs} ms`)),
      connectMs,
    ).unref();
    const fail = (cause: Error): void => decline(`it cannot dial back: ${cause.message}`);
    socket.once('error', fail);
    // A later failure is followed by `close`, and whoever takes the socket adds listeners of its own.
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      this.#live.delete(connection);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.write(ticketPreamble(ticket));
      this.take(this.#handover(socket, frame));
    });
  }

  /** Passes on a message about a live connection; without effect where nobody listens. */
  signal(connection: number, payload: Buffer): void {
    this.#live.get(connection)?.(payload);
  }

  #handover(socket: net.Socket, { connection, source, name, kind, label, hello }: DialFrame): Handover {
    return {
      connection,
      source,
      name,
      route: { kind: 'agent', protocol: kind, label },
      socket,
      ...(hello && { hello: { alpn: hello.alpn, ...(hello.sni !== undefined && { sni: hello.sni }) } }),
      onSignal: (listener) => {
        if (this.#live.has(connection)) this.#live.set(connection, listener);
      },
    };
  }
}
