import { PosternError, relay, type Logger } from '@postern/plugin-sdk';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type { AgentTable, ServedRoute } from './agent-table.js';
import { agentFrame, type AgentFrame, type ProxyFrame } from './control-frames.js';
import { ControlLink, type KeepAlive } from './control-link.js';
import type { Call, Dialer, Handover, Take } from './handover.js';
import type { Tickets } from './tickets.js';

/** An agent whose certificate was verified, and what it may announce. */
export interface TunnelPeer {
  /** The agent's name: one control connection each, the newest wins. */
  readonly id: string;
  serves(route: ServedRoute): boolean;
}

export interface ConnectedAgentOptions {
  readonly peer: TunnelPeer;
  readonly stream: Duplex;
  readonly table: AgentTable;
  readonly tickets: Tickets;
  readonly log: Logger;
  readonly keepAlive: KeepAlive;
}

/** What one agent may announce, and how many connections it may owe. */
const maxRoutes = 50_000;
const maxWaiting = 1024;

/** An agent's control connection, seen from the proxy: what it serves, and how to make it come for a connection. */
export class ConnectedAgent implements Dialer {
  readonly #link: ControlLink<AgentFrame, ProxyFrame>;
  /** Withdraws the ticket of a connection that waits for the agent. */
  readonly #waiting = new Map<number, (reason: string) => void>();

  constructor(private readonly options: ConnectedAgentOptions) {
    this.#link = new ControlLink(options.stream, agentFrame, (frame) => this.#onFrame(frame), options.keepAlive);
  }

  get peer(): TunnelPeer {
    return this.options.peer;
  }

  /** Resolves to the reason when the agent has gone; it can then no longer be reached. */
  async gone(): Promise<PosternError> {
    const reason = await this.#link.closed;
    this.options.table.drop(this);
    for (const withdraw of this.#waiting.values()) withdraw(`the agent ${this.peer.id} has gone`);
    return reason;
  }

  close(reason: string): void {
    this.#link.close(new PosternError('unavailable', reason), { type: 'goodbye', reason });
  }

  async dial(call: Call, signal: AbortSignal): Promise<Take> {
    if (call.route.kind !== 'agent') throw new PosternError('internal', 'an agent serves resources and nothing else');
    if (this.#waiting.size >= maxWaiting)
      throw new PosternError('unavailable', `${maxWaiting} connections wait for the agent ${this.peer.id}`);
    const { ticket, redeemed, withdraw } = this.options.tickets.issue();
    this.#waiting.set(call.connection, withdraw);
    const stop = (): void => withdraw('nobody waits for the connection any more');
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { protocol: kind, label } = call.route;
      const { connection, source, name, hello } = call;
      const hail = {
        connection,
        source,
        name,
        kind,
        label,
        ...(hello && { hello: { ...hello, alpn: [...hello.alpn] } }),
      };
      if (!this.#link.send({ type: 'dial', ticket, raw: true, ...hail }))
        withdraw(`the agent ${this.peer.id} has gone`);
      const work = await redeemed;
      if (signal.aborted) {
        work.destroy();
        throw new PosternError('unavailable', 'nobody waits for the connection any more');
      }
      return (handover) => this.#join(handover, work);
    } finally {
      signal.removeEventListener('abort', stop);
      this.#waiting.delete(call.connection);
    }
  }

  #join(handover: Handover, work: net.Socket): void {
    const { connection, socket } = handover;
    handover.onSignal((payload) =>
      this.#link.send({ type: 'signal', connection, payload: payload.toString('base64') }),
    );
    const end = (): void => {
      socket.destroy();
      work.destroy();
    };
    relay(socket, work).then(end, end);
  }

  #onFrame(frame: AgentFrame): void {
    if (frame.type === 'announce') this.#announce(frame.add, frame.remove);
    if (frame.type === 'declined')
      this.#waiting.get(frame.connection)?.(`the agent ${this.peer.id} declined: ${frame.reason}`);
  }

  #announce(add: readonly ServedRoute[], remove: readonly ServedRoute[]): void {
    const { table, peer, log } = this.options;
    const refused = add.filter((route) => !peer.serves(route));
    for (const { kind, label } of refused)
      log.warn('an agent announced what it may not serve', { agent: peer.id, kind, label });
    table.remove(this, remove);
    if (table.countOf(this) + add.length > maxRoutes) return this.close(`more than ${maxRoutes} routes are announced`);
    table.add(
      this,
      add.filter((route) => !refused.includes(route)),
    );
    this.#link.send({ type: 'announced', routes: table.countOf(this), refused });
  }
}
