import type { Duplex } from 'node:stream';
import type { Hold } from '../audit.js';
import type { Credentials, ServerCredentials } from '../credentials.js';
import type { Denial, Identity } from '../identity.js';
import type { AnyProtocol, AskOf, ConfigOf, Endpoint } from '../protocol.js';
import type { Recording } from '../recording.js';
import type { Logger, Resource } from '../session.js';

/**
 * What the kernel supplies for one session, and the conformance kit fakes.
 * Everything that decides or records is here; {@link startSession} only puts it
 * in the right order.
 */
export interface SessionHost<P extends AnyProtocol> {
  readonly id: string;
  readonly cluster: string;
  readonly protocol: P;
  readonly resource: Resource<P>;
  readonly config: ConfigOf<P>;
  readonly connection: number;
  readonly source: string;
  readonly alpn: string | undefined;
  /** Another number whenever a decision could be another one. */
  readonly revision: number;
  /** The identity that TLS proved, where it proved one. */
  readonly identity: Identity | undefined;
  readonly server: ServerCredentials;
  readonly log: Logger;
  readonly limits: SessionLimits;
  /** Aborts when the process stops; the reason is a {@link Denial}. */
  readonly signal: AbortSignal;

  /** See {@link ClientLink.verify}. Rejects with a PosternError that says why. */
  verify(credential: { readonly kind: 'openssh-certificate'; readonly blob: Buffer }): Promise<Identity>;
  /** Decides the opening ask. A yes has recorded the start, and a no the denial, before it resolves. */
  admit(identity: Identity | undefined, ask: AskOf<P>): Promise<Admission>;
  /** Decides a later ask. A denial was recorded before it resolves. */
  decide(identity: Identity, ask: AskOf<P>): Promise<Denial | undefined>;
  /**
   * Records that a client was turned away before it asked for anything. `code`
   * says what happened, from the list of errors; the denial, what it was told.
   */
  refused(denial: Denial, code: string): Promise<void>;
  credentials(identity: Identity, ask: AskOf<P>): Credentials;
  dial(endpoint: Endpoint): Promise<Duplex>;
  /**
   * Records one event of the protocol's catalogue. The fields are what the
   * plugin said: they are checked and redacted here. Throws or rejects where
   * they do not fit, or could not be recorded.
   */
  emit(type: string, fields: Readonly<Record<string, unknown>>): Hold;
  record(kind: string, header: Readonly<Record<string, unknown>>): Promise<Recording>;
  /** Records the end. Called once for every session whose start was recorded. */
  end(outcome: Outcome): Promise<void>;
}

export type Admission =
  | { readonly allowed: false; readonly denial: Denial }
  /** `signal` aborts when the session must end (deadline, lock, lost audit log); its reason is a {@link Denial}. */
  | { readonly allowed: true; readonly signal: AbortSignal };

export interface SessionLimits {
  /** For the client's opening: it is not trusted yet. */
  readonly openMs: number;
  /** For `serve` to settle once the signal has aborted, and for `refuse` to say its words. */
  readonly graceMs: number;
}

export const defaultLimits: SessionLimits = { openMs: 30_000, graceMs: 1_000 };

/** How a session ended. */
export type Outcome =
  /** Both sides said goodbye, or the client went away. */
  | { readonly kind: 'ended' }
  /** The answer was no, before or during the session. */
  | { readonly kind: 'refused'; readonly denial: Denial }
  /** The kernel ended a running session. */
  | { readonly kind: 'cut'; readonly denial: Denial }
  /** Something broke; the operator's text is in the error. */
  | { readonly kind: 'failed'; readonly error: Error };
