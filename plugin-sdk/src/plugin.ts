import type { Duplex } from 'node:stream';
import type { ClientModule, CommandSummary } from './client.js';
import type { Opening, Onward } from './opening.js';
import type { PlayerModule } from './player.js';
import type { AnyProtocol, ConfigOf } from './protocol.js';
import type { Class, Scope } from './scope.js';
import type { Logger, Resource, Session } from './session.js';
import type { WebModule } from './web.js';

/** The agent's half: loaded only where the protocol is spoken. */
export interface AgentModule<P extends AnyProtocol> {
  readonly Session: Class<Session<P>>;
  readonly Probe?: Class<Probe<P>>;
  /** Binds the plugin's own services into its own scope, before any session exists. */
  bind?(scope: Scope): void;
  /** Runs once before the first session. A rejection keeps the plugin from being enabled, with its message. */
  check?(config: ConfigOf<P>, log: Logger): Promise<void>;
}

/**
 * The proxy's half, for a protocol that does not open with TLS. It speaks no
 * further than the client's ClientHello; from there on the proxy routes by SNI
 * and relays what it cannot read.
 */
export interface ProxyModule {
  /** Recognises the protocol from the first bytes of a connection. Pure; `more` waits for another byte. */
  recognise(head: Buffer): 'yes' | 'no' | 'more';
  /** Talks the client as far as its ClientHello, or answers it altogether. */
  open(opening: Opening): Promise<Onward>;
  /**
   * The same for a protocol whose server speaks first: called on ports that an
   * operator gave to this kind, as soon as a client is there. On the public port
   * nobody can know that such a client has come.
   */
  greet?(opening: Opening): Promise<Onward>;
}

/** Answers one question about one resource: could a session start now? */
export interface Probe<P extends AnyProtocol = AnyProtocol> {
  probe(context: ProbeContext<P>): Promise<Health>;
}

export interface ProbeContext<P extends AnyProtocol> {
  readonly resource: Resource<P>;
  readonly signal: AbortSignal;
  /** Connects to the resource's first endpoint. */
  dial(): Promise<Duplex>;
}

export type Health =
  | { readonly ok: true; readonly version?: string }
  | { readonly ok: false; readonly reason: 'unreachable' | 'tls' | 'auth' | 'protocol'; readonly detail: string };

/** A protocol joined to its implementations. */
export interface Plugin<P extends AnyProtocol = AnyProtocol> {
  readonly sdk: 1;
  readonly protocol: P;
  agent(): Promise<AgentModule<P>>;
  proxy?(): Promise<ProxyModule>;
  client?(): Promise<ClientModule<P>>;
  player?(): Promise<PlayerModule>;
  readonly web?: WebModule;
  /** The commands that `client` adds to the user's program, in its group where it has one. Data, so that help loads no code. */
  readonly commands?: readonly CommandSummary[];
  /** The group of commands that this kind shares with its like, such as `db`. Without it there is none. */
  readonly noun?: string;
}

/** Joins a protocol to its halves, each behind an import that runs only in the process that needs it. */
export function definePlugin<P extends AnyProtocol>(
  protocol: P,
  halves: Omit<Plugin<P>, 'sdk' | 'protocol'>,
): Plugin<P> {
  return Object.freeze({ sdk: 1, protocol, ...halves });
}
