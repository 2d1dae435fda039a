import type { Duplex } from 'node:stream';
import { PosternError, type Logger, type OpenSshCredential } from '@postern/plugin-sdk';
import type { Socket } from 'node:net';
import ssh2, { type Connection } from 'ssh2';
import { serverAlgorithms } from './algorithms.js';
import { announceSignatures } from './extension-info.js';
import { defaultGuardLimits, Guard, type GuardLimits } from './guard.js';
import { hostKeysOf, presentHostCertificate } from './host-certificate.js';
import { serverName } from './last-words.js';
import { quickenCipher } from './quick-cipher.js';
import { RequestReplies } from './request-replies.js';
import { releaseSpentInput } from './spent-input.js';
import type { SessionInternals } from './ssh2-internals.js';
import { Transport } from './transport.js';
import { feedCarefully } from './careful-feed.js';

/** What ssh2 lacks and is given from outside, one connection at a time. The self-test breaks them one by one. */
export interface Hooks {
  presentHostCertificate(transport: Transport): void;
  announceSignatures(transport: Transport): void;
  guard(guard: Guard): void;
}

export const hooks: Hooks = { presentHostCertificate, announceSignatures, guard: (guard) => guard.install() };

export interface ConnectionOptions {
  readonly credential: OpenSshCredential;
  readonly log: Logger;
  readonly keepaliveMs: number;
  readonly limits?: Partial<GuardLimits>;
  readonly hooks?: Hooks;
}

/** One client, from its identification to its end, on ssh2 with everything that ssh2 lacks. */
export class SshConnection {
  readonly replies: RequestReplies;
  readonly guard: Guard;

  private constructor(
    readonly ssh: Connection,
    readonly transport: Transport,
    options: ConnectionOptions,
  ) {
    const { inside } = transport;
    this.replies = new RequestReplies(transport, (channel) => {
      const session = inside._chanMgr.get(channel) as SessionInternals | undefined;
      return session?._chanInfo?.outgoing.id;
    });
    this.guard = new Guard(transport, this.replies, { ...defaultGuardLimits, ...options.limits }, (what) => {
      options.log.warn('connection ended: abuse of the protocol', { what });
      transport.violated(what);
    });
  }

  /**
   * Speaks as the server on this stream, as far as the client's
   * identification. Rejects with `aborted` when the client leaves before that.
   */
  static receive(stream: Duplex, options: ConnectionOptions): Promise<SshConnection> {
    (stream as Partial<Socket>).setNoDelay?.(true);
    const server = new ssh2.Server({
      hostKeys: [...hostKeysOf(options.credential)],
      algorithms: serverAlgorithms,
      ident: serverName,
      keepaliveInterval: options.keepaliveMs,
      keepaliveCountMax: 3,
    });
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new PosternError('aborted', 'the client left before it identified itself'));
      stream.once('close', gone).once('end', gone);
      server.once('connection', (ssh: Connection) => {
        stream.off('close', gone).off('end', gone);
        resolve(SshConnection.#adopt(ssh, options));
      });
      feedCarefully(stream);
      server.injectSocket(stream as Socket);
    });
  }

  /** Runs inside ssh2's event, before the key exchange is read. */
  static #adopt(ssh: Connection, options: ConnectionOptions): SshConnection {
    const transport = new Transport(ssh);
    ssh.on('error', (cause) => {
      options.log.debug('the connection failed', { cause: cause.message });
      if (isViolation(cause)) transport.violated(cause.message);
      transport.abandon();
    });
    const connection = new SshConnection(ssh, transport, options);
    const given = options.hooks ?? hooks;
    given.presentHostCertificate(transport);
    given.announceSignatures(transport);
    given.guard(connection.guard);
    quickenCipher(transport);
    releaseSpentInput(transport);
    return connection;
  }
}

/**
 * What ssh2's errors tell of the client: those of the socket and of timers have
 * a level of their own, and its parser throws errors without one. A numeric code
 * is the reason of a client that said goodbye, in its own words (RFC 4253,
 * section 11.1). To have no algorithm in common with the node is no crime.
 */
function isViolation(cause: Error & { readonly level?: string; readonly code?: unknown }): boolean {
  if (typeof cause.code === 'number') return false;
  if (cause.level === 'handshake') return !cause.message.includes('no matching');
  return cause.level === 'protocol' || (cause.level === undefined && !(cause instanceof TypeError));
}
