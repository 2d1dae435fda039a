import { PosternError, type Logger } from '@postern/plugin-sdk';
import { constants, type X509Certificate } from 'node:crypto';
import type net from 'node:net';
import tls from 'node:tls';
import type { AgentTable } from './agent-table.js';
import { ConnectedAgent, type TunnelPeer } from './connected-agent.js';
import type { ProxyFrame } from './control-frames.js';
import { keepAlive, type KeepAlive } from './control-link.js';
import { localDialer, type Dialer, type Handover } from './handover.js';
import { hangUp } from './hang-up.js';
import type { RefusalReason } from './refusal.js';
import { tunnelProtocol } from './router.js';
import { Tickets } from './tickets.js';

/** PEM: this service's certificate chain and key, and the authorities that sign its peers' certificates. */
export interface ServiceTls {
  readonly certificate: string;
  readonly key: string;
  readonly authorities: string;
}

export interface TunnelServerOptions {
  readonly tls: ServiceTls;
  /** Who a verified certificate says the agent is. Rejects for a certificate that is no agent's. */
  identify(certificate: X509Certificate): Promise<TunnelPeer>;
  /** Where connected agents are found. */
  readonly table: AgentTable;
  readonly log: Logger;
  /** For the audit log: control connections that were not let in. Must not throw. */
  refused(event: { readonly source: string; readonly reason: RefusalReason; readonly detail: string }): void;
  readonly keepAlive?: KeepAlive;
  readonly ticketMs?: number;
}

/**
 * The proxy's end of the reverse tunnels. Agents keep one control connection
 * each, in mutual TLS; for each client they open a connection of its own and
 * prove with a ticket which one it is.
 */
export class TunnelServer implements AsyncDisposable {
  /** For the public port: takes the connections that ask for the tunnel protocol. */
  readonly dialer: Dialer = localDialer((handover) => this.#handshake(handover));
  readonly #server: tls.Server;
  readonly #tickets: Tickets;
  readonly #agents = new Map<string, ConnectedAgent>();
  /** Where the connections in a handshake come from, by both of their ends. */
  readonly #handshakes = new Map<string, string>();
  #closed = false;

  constructor(private readonly options: TunnelServerOptions) {
    this.#tickets = new Tickets(options.ticketMs);
    this.#server = tls.createServer({
      ...contextOf(options.tls),
      requestCert: true,
      // Checked in `#identify`, so that the agent's operator can be told what is wrong with its certificate.
      rejectUnauthorized: false,
      // A resumed session would bring the certificate of an earlier connection.
      secureOptions: constants.SSL_OP_NO_TICKET,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [tunnelProtocol],
      handshakeTimeout: 10_000,
    });
    // Handled inside: `#enter` never rejects.
    this.#server.on('secureConnection', (socket) => void this.#enter(socket));
    this.#server.on('tlsClientError', (cause, socket) => {
      const source = this.#finish(socket);
      if (source !== undefined) this.#refuse(source, 'bad_certificate', cause.message);
      socket.destroy();
    });
  }

  /** For the public port: takes the connection that an agent opened for a ticket. */
  redeem(ticket: string, socket: net.Socket): boolean {
    return this.#tickets.redeem(ticket, socket);
  }

  /** The names of the agents that are connected. */
  get agents(): readonly string[] {
    return [...this.#agents.keys()];
  }

  /** Uses another certificate, or trusts other authorities, from the next connection on. */
  renew(service: ServiceTls): void {
    this.#server.setSecureContext(contextOf(service));
  }

  /** Says goodbye to every agent. Sessions that run go on until their sockets are closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const agents = [...this.#agents.values()];
    for (const agent of agents) agent.close('the proxy is shutting down');
    await Promise.all(agents.map((agent) => agent.gone()));
  }

  #handshake({ socket, source }: Handover): void {
    const ends = endsOf(socket);
    this.#handshakes.set(ends, source);
    socket.once('close', () => {
      if (this.#handshakes.delete(ends)) this.#refuse(source, 'incomplete', 'closed in the middle of the handshake');
    });
    this.#server.emit('connection', socket);
  }

  /** The source of a connection whose handshake is over; `undefined` when that was said before. */
  #finish(socket: tls.TLSSocket): string | undefined {
    const ends = endsOf(socket);
    const source = this.#handshakes.get(ends);
    this.#handshakes.delete(ends);
    return source;
  }

  async #enter(socket: tls.TLSSocket): Promise<void> {
    const source = this.#finish(socket) ?? 'unknown';
    socket.on('error', () => {});
    try {
      const peer = await this.#identify(socket);
      await this.#serve(peer, socket, source);
    } catch (cause) {
      const { message, publicMessage } = PosternError.from(cause);
      this.#refuse(source, 'bad_certificate', message);
      const goodbye: ProxyFrame = { type: 'goodbye', reason: publicMessage.slice(0, 500) };
      hangUp(socket, Buffer.from(`${JSON.stringify(goodbye)}\n`));
    }
  }

  async #identify(socket: tls.TLSSocket): Promise<TunnelPeer> {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw PosternError.public('unauthenticated', 'the agent presented no certificate');
    if (!socket.authorized)
      throw PosternError.public('unauthenticated', `the agent's certificate is not valid here: ${whyNot(socket)}`);
    return this.options.identify(certificate);
  }

  async #serve(peer: TunnelPeer, socket: tls.TLSSocket, source: string): Promise<void> {
    const { table, log, keepAlive: times = keepAlive } = this.options;
    if (this.#closed || socket.destroyed) return void socket.destroy();
    const agent = new ConnectedAgent({ peer, stream: socket, table, tickets: this.#tickets, log, keepAlive: times });
    this.#agents.get(peer.id)?.close('another connection of the same agent took its place');
    this.#agents.set(peer.id, agent);
    log.info('an agent connected', { agent: peer.id, source });
    const reason = await agent.gone();
    if (this.#agents.get(peer.id) === agent) this.#agents.delete(peer.id);
    log.info('an agent has gone', { agent: peer.id, source, reason: reason.message });
  }

  #refuse(source: string, reason: RefusalReason, detail: string): void {
    this.options.log.warn('a control connection was refused', { source, reason, detail });
    this.options.refused({ source, reason, detail });
  }
}

/** The verification error's code, such as `UNABLE_TO_VERIFY_LEAF_SIGNATURE`; Node declares it as an error. */
const whyNot = ({ authorizationError }: tls.TLSSocket): string =>
  authorizationError instanceof Error ? authorizationError.message : String(authorizationError);

const endsOf = (socket: net.Socket): string =>
  [socket.remoteAddress, socket.remotePort, socket.localAddress, socket.localPort].join(' ');

const contextOf = ({ certificate, key, authorities }: ServiceTls): tls.SecureContextOptions => ({
  cert: certificate,
  key,
  ca: authorities,
});
