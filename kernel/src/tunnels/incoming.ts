import { PosternError } from '@postern/plugin-sdk';
import type net from 'node:net';
import type { Admission, Seat } from './admission.js';
import { classify, classifyDedicated, readProxyHeader, type Wish } from './classify.js';
import type { DedicatedPort } from './dedicated-port.js';
import type { Call, Dialer, Take } from './handover.js';
import { hangUp } from './hang-up.js';
import type { Hello } from './hello-message.js';
import type { LiveConnections } from './live-connections.js';
import { SocketOpening } from './opening.js';
import { routeAccepted, routeRefused } from './preamble.js';
import type { ProxyHalves } from './proxy-halves.js';
import type { PortLimits } from './public-port.js';
import { tlsAlert } from './refusal-answer.js';
import type { RefusalLog } from './refusal-log.js';
import { Refusal } from './refusal.js';
import type { Router } from './router.js';
import { normalAddress, type AddressSet } from './source-address.js';

/** What the connections of one port share. */
export interface PortContext {
  readonly router: Router;
  readonly services: Readonly<Partial<Record<'auth' | 'web' | 'tunnel', Dialer>>>;
  readonly agents: Dialer;
  redeem(ticket: string, socket: net.Socket): boolean;
  readonly limits: PortLimits;
  readonly halves: ProxyHalves;
  readonly dedicated?: DedicatedPort;
  readonly trusted: AddressSet;
  readonly admission: Admission;
  readonly refusals: RefusalLog;
  readonly connections: LiveConnections;
}

/** More names than any client offers; an agent is told no more. */
const maxProtocols = 16;

/** One connection at the public port, from its first byte until somebody has it or it is refused. */
export class Incoming {
  readonly #opening: SocketOpening;
  readonly #seat: Seat;
  #source: string;

  constructor(
    private readonly socket: net.Socket,
    private readonly port: PortContext,
  ) {
    // A failure is followed by `close`, and whoever takes the socket adds listeners of its own.
    socket.on('error', () => {});
    this.#source = normalAddress(socket.remoteAddress ?? 'unknown');
    this.#opening = new SocketOpening(socket, port.limits);
    this.#seat = port.admission.enter((refusal) => this.#opening.fail(refusal));
    socket.once('close', () => this.#seat.leave());
  }

  /** Never rejects: what goes wrong is refused and reported. */
  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => this.#opening.onFailure(reject));
    try {
      const wish = await Promise.race([this.#listen(), failed]);
      this.#seat.classified();
      await this.#follow(wish);
    } catch (cause) {
      this.#refuse(Refusal.from(cause));
    }
  }

  async #listen(): Promise<Wish> {
    if (this.port.trusted.has(this.#source)) this.#source = (await readProxyHeader(this.#opening)) ?? this.#source;
    this.#seat.sit(this.#source);
    const { dedicated, halves } = this.port;
    return dedicated ? classifyDedicated(this.#opening, dedicated, halves) : classify(this.#opening, halves);
  }

  async #follow(wish: Wish): Promise<void> {
    switch (wish.kind) {
      case 'tls':
        return this.#lead(this.port.dedicated?.name ?? wish.hello.sni ?? '', wish.hello);
      case 'route':
        return this.#lead(wish.name);
      case 'ticket':
        return this.#redeem(wish.ticket);
      case 'signal':
        return this.#signal(wish.connection, wish.payload);
      case 'closed':
        this.port.refusals.report(this.#source, 'turned_away', 'its protocol told the client how to connect instead');
        return hangUp(this.#opening.release());
    }
  }

  async #lead(name: string, hello?: Hello): Promise<void> {
    try {
      const { route, dialer } = this.#resolve(name, hello);
      const socket = this.#opening.release();
      const live = this.port.connections.open();
      socket.once('close', () => live.close());
      const call: Call = {
        connection: live.id,
        source: this.#source,
        name,
        route,
        ...(hello && { hello: wishes(hello) }),
      };
      const take = await this.#dial(dialer, call);
      if (!hello) socket.write(routeAccepted);
      take({ ...call, socket, onSignal: (listener) => live.onSignal(listener) });
    } catch (cause) {
      const refusal = Refusal.from(cause);
      const alert = refusal.reason === 'unknown_name' ? 'unrecognized_name' : 'internal_error';
      throw refusal.answering(hello ? tlsAlert(alert) : routeRefused(refusal.publicMessage));
    }
  }

  #resolve(name: string, hello?: Hello): { readonly route: Call['route']; readonly dialer: Dialer } {
    const route = this.port.router.resolve(name, hello?.alpn);
    if (route.kind === 'unknown') throw new Refusal('unknown_name', route.reason);
    this.#mustBeOfThisPort(name, route);
    // What ends at the proxy must be TLS: the preamble is for streams that are encrypted end to end.
    if (!hello && (route.kind === 'web' || route.kind === 'tunnel'))
      throw new Refusal('unknown_name', `${name} is the proxy itself, and not reached by a preamble`);
    const dialer = route.kind === 'agent' ? this.port.agents : this.port.services[route.kind];
    if (!dialer) throw new Refusal('unreachable', `nobody here serves ${name || 'the proxy itself'}`);
    return { route, dialer };
  }

  #mustBeOfThisPort(name: string, route: Call['route']): void {
    const { kind } = this.port.dedicated ?? {};
    if (kind !== undefined && (route.kind !== 'agent' || route.protocol !== kind))
      throw new Refusal('unknown_name', `this port is for ${kind} alone, and ${name || 'the proxy itself'} is none`);
  }

  /** Waits for a dialer no longer than the limit, and not for a client that has gone. */
  async #dial(dialer: Dialer, call: Call): Promise<Take> {
    const { dialMs } = this.port.limits;
    const stop = new AbortController();
    const gone = (): void => stop.abort(new PosternError('aborted', 'the client has gone'));
    const late = (): void => stop.abort(new PosternError('unavailable', `nobody came within ${dialMs} ms`));
    const timer = setTimeout(late, dialMs).unref();
    this.socket.once('close', gone);
    const stopped = new Promise<never>((_, reject) =>
      stop.signal.addEventListener('abort', () => reject(PosternError.from(stop.signal.reason)), { once: true }),
    );
    try {
      if (this.socket.destroyed) gone();
      return await Promise.race([dialer.dial(call, stop.signal), stopped]);
    } finally {
      clearTimeout(timer);
      this.socket.off('close', gone);
    }
  }

  #redeem(ticket: string): void {
    if (!this.port.redeem(ticket, this.#opening.release()))
      throw new Refusal('bad_ticket', 'the ticket was never issued, was used before, or has expired');
    // An agent has as many of these as it has sessions: they are bounded by the clients' own.
    this.#seat.leave();
  }

  #signal(connection: number, payload: Buffer): void {
    const outcome = this.port.connections.signal(this.#source, connection, payload);
    if (outcome === 'too_many') throw new Refusal('signal_limit', 'too many messages to other connections');
    if (outcome === 'too_long') throw new Refusal('oversized', `a message of ${payload.length} bytes to a connection`);
    hangUp(this.#opening.release());
  }

  #refuse(refusal: Refusal): void {
    const { received } = this.#opening;
    this.#opening.fail(refusal);
    // Whoever connects and leaves without a word was probing whether the port is there.
    const probe = refusal.reason === 'incomplete' && received === 0;
    if (!probe) this.port.refusals.report(this.#source, refusal.reason, refusal.message);
    if (refusal.answer) hangUp(this.socket, refusal.answer);
    else this.socket.destroy();
  }
}

const wishes = ({ sni, alpn }: Hello): NonNullable<Call['hello']> => ({
  ...(sni !== undefined && { sni }),
  alpn: alpn.slice(0, maxProtocols),
});
