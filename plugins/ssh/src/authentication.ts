import { PosternError, type ClientLink, type Logger } from '@postern/plugin-sdk';
import type { AuthContext, PublicKeyAuthContext } from 'ssh2';
import type { SshConnection } from './ssh-connection.js';
import {
  checkCriticalOptions,
  provesPossession,
  readUserCertificate,
  type UserCertificate,
} from './user-certificate.js';
import { disconnectReason, plainLine } from './wire.js';

/** Failures of any kind, the customary first `none` included. */
const maximumFailures = 6;
/** How long a refused client may take to try its other keys, read the reason and go. */
const farewellMs = 700;

const hint = 'no certificate was presented; run psh login';

/** A client whose key and certificate are proven, and which waits for the answer. */
export interface Proven {
  readonly login: string;
  readonly certificate: UserCertificate;
}

/**
 * The login of one client. A certificate that was signed with is held until
 * the kernel has decided: only then is the client told yes or no.
 */
export class Authentication {
  /**
   * Resolves once a client has proven who it is. Rejects, when it leaves, with the
   * last reason that it was refused for; where there is none, with
   * `protocol_violation` if it broke the protocol.
   */
  readonly proven: Promise<Proven>;
  #resolve!: (proven: Proven) => void;
  #held: PublicKeyAuthContext | undefined;
  #failures = 0;
  #refused = false;
  #exhausted = false;
  #reason: PosternError | undefined;

  constructor(
    private readonly connection: SshConnection,
    private readonly client: Pick<ClientLink, 'verify' | 'source'>,
    private readonly log: Logger,
  ) {
    this.proven = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      const gone = (): void =>
        reject(
          this.#reason ?? connection.transport.violation ?? new PosternError('unauthenticated', 'the client gave up'),
        );
      if (connection.transport.over.aborted) gone();
      else connection.transport.over.addEventListener('abort', gone, { once: true });
    });
    this.proven.catch(() => {});
    connection.ssh.on('authentication', (context) => {
      this.#attempt(context).catch((cause: unknown) => {
        this.log.warn('an authentication request failed', { cause: PosternError.from(cause).message });
        this.connection.transport.abandon();
      });
    });
  }

  /** Tells the client that it is in. False where it has gone meanwhile. */
  accept(): boolean {
    const held = this.#held;
    this.#held = undefined;
    if (!held || !this.connection.transport.alive) return false;
    held.accept();
    return true;
  }

  /** Shows the reason on the client's terminal, refuses what it still tries, and resolves when it has gone. */
  async refuse(text: string): Promise<void> {
    const { transport } = this.connection;
    this.#refused = true;
    const held = this.#held;
    this.#held = undefined;
    if (!held) return transport.disconnect(text);
    transport.banner(text);
    this.#fail(held);
    if (await this.#leaves()) return;
    transport.disconnect(text, disconnectReason.noMoreAuthMethods);
  }

  async #attempt(context: AuthContext): Promise<void> {
    if (!this.#refused && context.method === 'keyboard-interactive') this.#hint();
    if (this.#refused || context.method !== 'publickey') return this.#fail(context);
    const certificate = this.#read(context);
    if (!certificate) return this.#fail(context);
    // Only a question so far. Answering yes costs nothing: the proof comes with the signature.
    if (!context.signature || !context.blob) return context.accept();
    if (!provesPossession(certificate, context.blob, context.signature)) return this.#fail(context);
    try {
      checkCriticalOptions(certificate, this.client.source);
      await this.client.verify({ kind: 'openssh-certificate', blob: certificate.blob });
    } catch (cause) {
      this.#reason = PosternError.from(cause);
      this.connection.transport.banner(`postern: ${plainLine(this.#reason.publicMessage)}`);
      return this.#fail(context);
    }
    this.#held = context;
    this.#resolve({ login: context.username, certificate });
  }

  #read(context: PublicKeyAuthContext): UserCertificate | undefined {
    try {
      return readUserCertificate(context.key.algo, context.key.data);
    } catch (cause) {
      this.log.debug('not a certificate', { cause: PosternError.from(cause).message });
      return undefined;
    }
  }

  /** A client turns to this method when its keys are used up: the moment to say what it lacks. Nothing is asked. */
  #hint(): void {
    this.#exhausted = true;
    if (!this.#reason) this.connection.transport.banner(`postern: ${hint}`);
  }

  #fail(context: AuthContext): void {
    if (!this.connection.transport.alive) return;
    this.#failures += 1;
    if (this.#failures >= maximumFailures)
      return this.connection.transport.disconnect('too many authentication failures', disconnectReason.protocolError);
    context.reject(this.#exhausted || this.#refused ? ['publickey'] : ['publickey', 'keyboard-interactive']);
  }

  /** True once the connection is over, false when the client takes too long. */
  #leaves(): Promise<boolean> {
    const { over } = this.connection.transport;
    if (over.aborted) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), farewellMs);
      over.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve(true);
        },
        { once: true },
      );
    });
  }
}
