import { PosternError } from '@postern/plugin-sdk';
import net from 'node:net';
import { Admission, admissionLimits, type AdmissionLimits } from './admission.js';
import type { DedicatedPort } from './dedicated-port.js';
import type { Dialer } from './handover.js';
import { Incoming, type PortContext } from './incoming.js';
import { LiveConnections } from './live-connections.js';
import { openingLimits, type OpeningLimits } from './opening.js';
import { ProxyHalves, type ProxyHalf } from './proxy-halves.js';
import { RefusalLog, type ConnectionRefused } from './refusal-log.js';
import type { Router } from './router.js';
import { AddressSet, normalAddress } from './source-address.js';

export interface PortLimits extends AdmissionLimits, OpeningLimits {
  /** Connections of the port, handed over ones included. */
  readonly total: number;
  /** How long an agent may take to come for a connection. */
  readonly dialMs: number;
  /** Messages to other connections that one address may send in a second. */
  readonly signalsPerSecond: number;
  /** For how long repeated refusals of one source are summed up. */
  readonly refusalWindowMs: number;
}

export const portLimits: PortLimits = {
  ...admissionLimits,
  ...openingLimits,
  total: 50_000,
  dialMs: 20_000,
  signalsPerSecond: 10,
  refusalWindowMs: 10_000,
};

export interface PublicPortOptions {
  readonly router: Router;
  /** Who takes what is not for an agent. A connection to one that is absent is refused as unreachable. */
  readonly services: Readonly<Partial<Record<'auth' | 'web' | 'tunnel', Dialer>>>;
  /** Who takes what is for an agent. */
  readonly agents: Dialer;
  /** Takes the connection that an agent opened for a ticket; false where the ticket is no good. */
  redeem?(ticket: string, socket: net.Socket): boolean;
  /** The plugins that know openings other than TLS. */
  readonly halves?: readonly ProxyHalf[];
  /** Makes this a port for one kind of resource. */
  readonly dedicated?: DedicatedPort;
  /** The connections of another port of this process, so that ids are unique among them all. */
  readonly connections?: LiveConnections;
  /** Addresses and CIDR blocks of balancers whose PROXY headers are believed. From elsewhere they are garbage. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<PortLimits>;
  /** For the audit log: connections that nobody took. Must not throw. */
  refused(event: ConnectionRefused): void;
  readonly now?: () => Date;
}

/**
 * The one public port. Reads each connection as far as it takes to know where
 * it leads, and hands the socket on with its bytes untouched. It holds no key:
 * whatever is encrypted passes through as it came.
 */
export class PublicPort implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #context: PortContext;

  private constructor(options: PublicPortOptions) {
    const limits = { ...portLimits, ...options.limits };
    this.#context = {
      ...options,
      redeem: options.redeem?.bind(options) ?? (() => false),
      limits,
      halves: new ProxyHalves(options.halves ?? []),
      trusted: new AddressSet(options.trustedProxies ?? []),
      admission: new Admission(limits),
      refusals: new RefusalLog((event) => options.refused(event), limits.refusalWindowMs),
      connections:
        options.connections ??
        new LiveConnections({
          now: options.now ?? (() => new Date()),
          signalsPerSecond: limits.signalsPerSecond,
        }),
    };
    this.#server = net.createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, pauseOnConnect: true },
      (socket) => this.#accept(socket),
    );
    this.#server.maxConnections = limits.total;
    this.#server.on('drop', (data) => this.#full(normalAddress(data?.remoteAddress ?? 'unknown')));
  }

  /** Rejects with `unavailable` where the address cannot be had, and with `invalid_config` for a malformed CIDR block. */
  static async listen(
    options: PublicPortOptions,
    at: { readonly host?: string; readonly port: number },
  ): Promise<PublicPort> {
    const port = new PublicPort(options);
    await new Promise<void>((resolve, reject) => {
      port.#server.once('error', (cause) => {
        const where = `${at.host ?? '*'}:${at.port}`;
        reject(PosternError.public('unavailable', `cannot listen on ${where}: ${cause.message}`, cause));
      });
      // A flood must not fill the queue of those who wait to be accepted: their clients try again a second later.
      port.#server.listen({ ...at, backlog: 4096 }, resolve);
    });
    port.#server.removeAllListeners('error');
    // An accept fails when the process is out of descriptors: that connection is lost, and the port goes on.
    port.#server.on('error', () => port.#full('unknown'));
    return port;
  }

  get address(): net.AddressInfo {
    return this.#server.address() as net.AddressInfo;
  }

  /** The connections that were handed over and live. */
  get connections(): LiveConnections {
    return this.#context.connections;
  }

  /** Connections that have not said yet what they want. */
  get unclassified(): number {
    return this.#context.admission.unclassified;
  }

  /** Stops listening and leaves the connections that are there alone. */
  stopListening(): void {
    this.#server.close();
  }

  /** Stops listening and ends every connection that came in here, handed over ones included. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#context.refusals[Symbol.dispose]();
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Handled inside: `run` never rejects.
    void new Incoming(socket, this.#context).run();
  }

  #full(source: string): void {
    const { refusals, limits } = this.#context;
    refusals.report(source, 'total_limit', `the port has ${limits.total} connections, or no descriptor is left`);
  }
}
