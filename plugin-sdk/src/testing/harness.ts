import type { Duplex } from 'node:stream';
import type { ConnectOptions } from '../client.js';
import type { Credentials, ServerCredentials } from '../credentials.js';
import type { SessionHost } from '../host/index.js';
import type { Identity } from '../identity.js';
import type { AnyProtocol } from '../protocol.js';

export type Bytes = string | Buffer;

/**
 * One step of a dialogue. `send` may depend on everything that was received.
 * `expect` waits for a match behind what earlier steps have matched; the text
 * that it looks at has a character for each byte (latin1).
 */
export type Step = { readonly send: Bytes | ((received: Buffer) => Bytes) } | { readonly expect: RegExp };

/**
 * What a native client says, and what it must be told. It must give the same
 * result however often it is held, since all checks share one resource.
 *
 * - `send` and `receive`: everything at once, and a pattern for everything that
 *   comes back.
 * - `steps`: a dialogue, where a client must wait for answers.
 * - `connect`: drives a native client over the stream, and rejects where it got
 *   a wrong answer. For protocols whose bytes cannot be written down.
 */
export type Conversation =
  | { readonly send: Bytes; readonly receive: RegExp }
  | { readonly steps: readonly Step[] }
  | { readonly connect: (stream: Duplex) => Promise<void> };

/** A resource that was started for the tests. */
export interface Upstream {
  /** As an operator would register it. */
  readonly spec: unknown;
  /** Real credentials, where the resource checks them. */
  readonly credentials?: Partial<Credentials>;
  /** What has reached the resource, where the kit cannot read it from the connection because that is encrypted. */
  received?(): Bytes | Promise<Bytes>;
  close(): Promise<void>;
}

/** What the author of a plugin supplies; the kit does the rest. */
export interface Harness<P extends AnyProtocol = AnyProtocol> {
  /** Starts a server of this protocol on loopback: a real one where there is one. Called once. */
  upstream(): Promise<Upstream>;
  /** A role that may hold the conversation and not the forbidden one. */
  readonly access: unknown;
  /** The plugin's configuration; its defaults unless told otherwise. */
  readonly config?: unknown;

  readonly conversation: Conversation;
  /** How long a client waits for each answer: 5000 unless told otherwise. */
  readonly patienceMs?: number;
  /** Bytes of the conversation that have an audited effect. By default, anything at all that reaches the resource. */
  readonly effect?: Bytes;
  /** What this role may not do, and the refusal in the protocol's own words. */
  readonly forbidden: Conversation;
  /** What of it must not reach the resource; by default everything that it sends. */
  readonly never?: Bytes;

  /** All that a client is told that may not enter, where the protocol has words for it; or a client that insists on them. */
  readonly refusal?: RegExp | { readonly connect: (stream: Duplex) => Promise<void> };
  /**
   * What a client is told whose session is cut after the conversation, where
   * the protocol has words for it; or a client that calls `cut` and insists on
   * them. The reason is `locked by an administrator`.
   */
  readonly farewell?: RegExp | { readonly connect: (stream: Duplex, cut: () => void) => Promise<void> };
  /** A frame that announces 4 GiB, and the answer to it. */
  readonly oversized?: Conversation;
  /** A dialogue after which at least `bytes` bytes come back, at least 4 MiB. */
  readonly bulk?: { readonly steps: readonly Step[]; readonly bytes: number };
  /** The first bytes of a native client at the public port, where the plugin has a proxy half. */
  readonly opening?: Bytes;
  /** What the user gives to `connect`, where the client half needs it. */
  readonly connectOptions?: Partial<ConnectOptions>;

  /** For `native` transports: the identity behind a credential, and the server's own. */
  readonly verify?: SessionHost<P>['verify'];
  readonly server?: ServerCredentials;
  /** Who the client is, where the plugin looks at more than the user's name. */
  readonly identity?: Identity;

  /** Checks that make no sense for this protocol, by name, each with the reason. Only some checks allow it. */
  readonly exempt?: Readonly<Record<string, string>>;
}
