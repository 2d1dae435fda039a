import type { z } from 'zod';
import type { EventCatalog } from './audit.js';
import type { RecordingFormat } from './recording.js';

/** An address that an agent dials. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * Who ends the encryption that the client began.
 *
 * - `tls`: the kernel, by mutual TLS; the session starts with a verified
 *   identity. `alpn` lists the names that this protocol's clients may offer.
 *   `forward` says that native clients cannot ask for a resource by name: the
 *   user's program opens a local socket or port for them, and offers these
 *   names on its way. With `web`, sessions also come from browsers; those have
 *   {@link webAlpn}. With `appHost`, resources are applications that browsers
 *   reach at hosts of their own: sessions speak HTTP/1.1 from the first byte on,
 *   and `alpn` has `http/1.1` among its names.
 * - `native`: the protocol brings its own encryption and its own credential,
 *   which the session hands to {@link ClientLink.verify}.
 */
export type Transport =
  | {
      readonly kind: 'tls';
      readonly alpn?: readonly string[];
      readonly forward?: 'socket' | 'port';
      readonly web?: boolean;
      readonly appHost?: boolean;
    }
  | { readonly kind: 'native'; readonly credential: 'openssh' };

/** What the proxy offers in ALPN for a browser's WebSocket: HTTP/1.1 follows, beginning with the upgrade. */
export const webAlpn = 'postern-web';

/**
 * What counts as one session in the audit log. `connection`: each connection.
 * `certificate`: all connections of one certificate from one address to one
 * resource, until none has been there for `idleSeconds`.
 */
export type SessionSpan = 'connection' | { readonly per: 'certificate'; readonly idleSeconds: number };

/** A kind of recording. A `shared` one is made once for a session and is written by all its connections. */
export interface RecordingKind {
  readonly title: string;
  readonly format: RecordingFormat;
  readonly shared?: boolean;
}

/** The vocabulary of policies about single statements: what asks and access of a protocol name in `class` and `object`. */
export interface StatementVocabulary {
  /** Name to one sentence, from the least to the most powerful: `read`, `write`, `administer`. */
  readonly classes: Readonly<Record<string, string>>;
  /** Kinds of things that statements touch, name to one sentence: `table`, `key`, `collection`. */
  readonly objects?: Readonly<Record<string, string>>;
}

/**
 * The declarative half of a plugin: everything that the cluster must know about
 * a protocol without speaking it. The Auth Service, the proxy, the programs and
 * the documentation read this half and never load the other.
 */
export interface Protocol<
  R extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  A extends z.ZodType = z.ZodType,
  C extends z.ZodType = z.ZodType,
  E extends EventCatalog = EventCatalog,
> {
  /** Lower case: resource kind, configuration key, event prefix and a label of the resource's DNS name. */
  readonly id: string;
  readonly title: string;

  /** Which side the implementation is hardened against. Shown to whoever enables the plugin. */
  readonly posture: 'hostile-client' | 'hostile-client-and-upstream';

  readonly transport: Transport;

  /** This plugin's section of the agent's configuration. Must accept `{}`. */
  readonly config: C;

  readonly auth: Authorization<R, Q, A>;

  /** Every event that this protocol emits, beyond the session events that the kernel emits itself. */
  readonly audit: E;

  /** The kinds of recording that its sessions make, by name. */
  readonly recordings?: Readonly<Record<string, RecordingKind>>;

  /** `connection` by default. */
  readonly session?: SessionSpan;

  readonly statements?: StatementVocabulary;
}

/**
 * A protocol's vocabulary of access. The functions are pure and total; they run
 * wherever a decision is made.
 *
 * Roles reach `permits` and `forbids` with their templates replaced by the
 * user's traits. Four conventions make that safe: an empty list names nothing,
 * never everything; a longer list never permits less, so that there are no
 * exceptions inside `access`; `*` is the only character in access strings that
 * stands for others; and the kernel never puts a trait that contains `*` where
 * a role allows, so that whoever chooses a trait cannot choose a pattern.
 */
export interface Authorization<R extends z.ZodType, Q extends z.ZodType, A extends z.ZodType> {
  /** What an operator writes as `spec` to register one resource. Never a command, a path or a secret. */
  readonly resource: R;
  /** Where such a resource lives, as far as this ask is concerned. An agent dials these addresses and no others. */
  endpoints(resource: z.output<R>, ask: z.output<Q>): readonly Endpoint[];
  /** What a user can ask of a resource. The opening ask decides entry; later ones go through {@link Grant.require}. */
  readonly ask: Q;
  /** What a role may allow or deny. Must accept `{}`. */
  readonly access: A;
  /** True only where `access`, found under a role's `allow`, grants the ask. `{}` grants nothing. */
  permits(access: z.output<A>, ask: z.output<Q>): boolean;
  /** True where `access`, found under a role's `deny`, names any part of the ask. `{}` names nothing. */
  forbids(access: z.output<A>, ask: z.output<Q>): boolean;
  /**
   * What a role's entry for every kind (`'*'`) allows in this protocol, such as
   * `{ users: ['{{internal.users}}'] }`: templates stand for the user's traits,
   * so that it fits everybody. Without it such an entry allows nothing here.
   */
  readonly preset?: Readonly<Record<string, unknown>>;
  /** The names that `access` lets a user become on a resource; the user's certificates carry them. */
  principals?(access: z.output<A>): readonly string[];
}

export type AnyProtocol = Protocol<any, z.ZodType, any, z.ZodType, EventCatalog>;
export type SpecOf<P extends AnyProtocol> = z.output<P['auth']['resource']>;
export type AskOf<P extends AnyProtocol> = z.output<P['auth']['ask']>;
export type AccessOf<P extends AnyProtocol> = z.output<P['auth']['access']>;
export type ConfigOf<P extends AnyProtocol> = z.output<P['config']>;

/** Checks a declaration and keeps its exact types. Has no effects. */
export function defineProtocol<
  R extends z.ZodType,
  Q extends z.ZodType,
  A extends z.ZodType,
  C extends z.ZodType,
  E extends EventCatalog,
>(protocol: Protocol<R, Q, A, C, E>): Protocol<R, Q, A, C, E> {
  if (!/^[a-z][a-z0-9-]{1,30}$/.test(protocol.id))
    throw new TypeError(`protocol id ${JSON.stringify(protocol.id)}: use lower-case letters, digits and dashes`);
  if (typeof protocol.session === 'object' && protocol.transport.kind !== 'tls')
    throw new TypeError(`${protocol.id}: only TLS tells whose connections make one session`);
  return Object.freeze(protocol);
}
