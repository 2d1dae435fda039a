import type { Duplex } from 'node:stream';
import type { AuditPort, Hold } from './audit.js';
import type { Credentials, ServerCredentials } from './credentials.js';
import type { Denial, Identity } from './identity.js';
import type { AnyProtocol, AskOf, ConfigOf, Endpoint, SpecOf } from './protocol.js';
import type { Recording } from './recording.js';
import { token } from './scope.js';

/**
 * One client connection to one resource, spoken in one protocol: the interface
 * that every plugin implements.
 *
 *     open ──▶ kernel decides ──▶ serve
 *                     └─────────▶ refuse
 *
 * The kernel calls `open` once, then exactly one of `serve` and `refuse`;
 * `refuse` may still follow `serve` when the session is cut (a lock, an expired
 * certificate, a lost audit log), after `serve` has settled. The kernel emits
 * session.start, session.end and session.denied, enforces deadlines through
 * {@link SessionContext.signal}, and destroys both streams when the session is
 * over. A plugin has no way to forget any of it.
 */
export interface Session<P extends AnyProtocol> {
  /** Reads just enough of the client's opening to learn what it wants. The client is not trusted yet. */
  open(client: ClientLink): Promise<AskOf<P>>;

  /** Dials and authenticates upstream, then relays until either side ends or the signal aborts. */
  serve(client: ClientLink, grant: Grant<P>): Promise<void>;

  /** Says no in the protocol's own words, so that a native client shows a proper error. */
  refuse(client: ClientLink, denial: Denial): Promise<void>;

  /** A message about this connection that came on another one, such as a request to cancel. Not authenticated. */
  signal?(payload: Buffer): Promise<void>;
}

/**
 * Proof that the kernel authorized an ask, and the only way to reach the
 * resource: without a grant there is nothing to dial with.
 */
export interface Grant<P extends AnyProtocol> {
  readonly identity: Identity;
  readonly ask: AskOf<P>;
  /** Short-lived credentials for the resource, minted for this session. */
  readonly credentials: Credentials;
  /**
   * Connects to an endpoint of the granted ask; to the first one unless told
   * otherwise. Rejects with `upstream_unreachable`, and with `access_denied`
   * for an address that the declaration does not name.
   */
  dial(endpoint?: Endpoint): Promise<Duplex>;
  /** Authorizes a further ask within the session. Rejects with the denial's code, after auditing it. */
  require(ask: AskOf<P>): Promise<Grant<P>>;
  /**
   * The same for an ask that needs nothing to dial, such as a command. Returns
   * at once where it was granted before and nothing has changed since, so that
   * it can be asked for each statement.
   */
  check(ask: AskOf<P>): Hold;
}

/** The client's side. Where the transport is `tls`, the kernel has ended it. */
export interface ClientLink {
  readonly stream: Duplex;
  /** Names this connection among the live ones of the cluster; 31 bits, so that it fits a process id. */
  readonly connection: number;
  /** The client's address as the proxy saw it. */
  readonly source: string;
  /** What was agreed on in ALPN (RFC 7301): how a session came here, where there are several ways. */
  readonly alpn: string | undefined;
  /** The verified identity; absent while a `native` protocol has not verified one, or where TLS brought none. */
  readonly identity: Identity | undefined;
  /** Verifies a credential that was presented inside the protocol and keeps it as this link's identity. */
  verify(credential: { readonly kind: 'openssh-certificate'; readonly blob: Buffer }): Promise<Identity>;
  /** What proves to the client that this is the resource it asked for. */
  readonly server: ServerCredentials;
}

/** One registered resource, as its session sees it. */
export interface Resource<P extends AnyProtocol> {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: SpecOf<P>;
}

/** All that a session may touch besides its client. Injected, one per session. */
export interface SessionContext<P extends AnyProtocol = AnyProtocol> {
  readonly id: string;
  readonly cluster: string;
  readonly resource: Resource<P>;
  readonly config: ConfigOf<P>;
  readonly audit: AuditPort<P['audit']>;
  readonly log: Logger;
  /** Aborts when the session must end; the reason is a {@link Denial}. */
  readonly signal: AbortSignal;
  /** Starts a recording of one of the kinds in the protocol's declaration. */
  record(
    kind: keyof NonNullable<P['recordings']> & string,
    header: Readonly<Record<string, unknown>>,
  ): Promise<Recording>;
}
export const SessionContext = token<SessionContext<any>>('SessionContext');

/** Messages for operators. Never a secret, never the content of a user's session. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}
