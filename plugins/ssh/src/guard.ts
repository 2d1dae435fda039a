import { Abuse } from './abuse.js';
import { ChannelGuard } from './guard-channels.js';
import { GlobalRequestGuard } from './guard-global-requests.js';
import type { RequestReplies } from './request-replies.js';
import { Throttle } from './throttle.js';
import type { Transport } from './transport.js';
import { disconnectReason, message } from './wire.js';

/** What a client may do at most. */
export interface GuardLimits {
  /** Channels of all kinds at once. */
  readonly channels: number;
  /** Key exchanges within ten seconds. A client with a small rekey limit needs dozens on a fast line. */
  readonly keyExchanges: number;
  /** Authentication requests of any kind, questions included. */
  readonly authRequests: number;
}

export const defaultGuardLimits: GuardLimits = { channels: 200, keyExchanges: 100, authRequests: 20 };

const beforeLogin: ReadonlySet<number> = new Set([
  message.disconnect,
  message.ignore,
  message.unimplemented,
  message.debug,
  message.serviceRequest,
  message.keyExchangeInit,
  message.authRequest,
]);

const afterLogin: ReadonlySet<number> = new Set([
  message.disconnect,
  message.ignore,
  message.unimplemented,
  message.debug,
  message.keyExchangeInit,
  message.globalRequest,
  message.requestSuccess,
  message.requestFailure,
  message.channelOpen,
  message.channelOpenConfirmation,
  message.channelOpenFailure,
  message.channelWindowAdjust,
  message.channelData,
  message.channelEof,
  message.channelClose,
  message.channelRequest,
]);

const windowMs = 10_000;

/**
 * Stands between the decrypted messages and ssh2, which trusts its peer: it
 * hangs for ever on a packet size of zero, buffers what exceeds a window,
 * limits nothing, and handles messages that only the other side may send.
 * Messages that do not belong to the phase of the connection are dropped;
 * what no honest client does ends the connection.
 */
export class Guard {
  readonly #channels: ChannelGuard;
  readonly #globalRequests: GlobalRequestGuard;
  readonly #throttle: Throttle;
  readonly #exchanges: number[] = [];
  #authRequests = 0;
  #stopped = false;

  constructor(
    private readonly transport: Transport,
    replies: RequestReplies,
    private readonly limits: GuardLimits,
    private readonly onAbuse: (what: string) => void,
  ) {
    this.#channels = new ChannelGuard(transport, replies, limits.channels);
    this.#globalRequests = new GlobalRequestGuard(transport);
    this.#throttle = new Throttle(transport, (what) => this.#stop(what));
  }

  /** The terminal modes of the last pty request on this channel, which ssh2 cannot read. */
  takeModes(channel: number): Buffer {
    return this.#channels.takeModes(channel);
  }

  /** From now on ssh2 sees only what passes. */
  install(): void {
    const protocol = this.transport.inside._protocol;
    const next = protocol._onPayload;
    protocol._onPayload = (payload) => {
      if (this.#stopped || payload.length === 0) return;
      this.transport.count(payload.length);
      try {
        this.#inspect(payload, next);
        this.#throttle.check();
      } catch (cause) {
        // A RangeError comes from reading a message that ends too early.
        if (!(cause instanceof Abuse || cause instanceof RangeError)) throw cause;
        this.#stop(cause.message);
      }
    };
  }

  #inspect(payload: Buffer, next: (payload: Buffer) => unknown): void {
    const type = payload[0] ?? 0;
    const authenticated = this.transport.connection.authenticated;
    if (!(authenticated ? afterLogin : beforeLogin).has(type)) return;
    if (type === message.authRequest) this.#countAuthRequest();
    if (type === message.keyExchangeInit) this.#countKeyExchange();
    if (type === message.globalRequest) return this.#globalRequests.pass(payload, next);
    if (type >= message.channelOpen) return this.#channels.pass(type, payload, next);
    next(payload);
  }

  #countAuthRequest(): void {
    this.#authRequests += 1;
    if (this.#authRequests > this.limits.authRequests) throw new Abuse('too many authentication requests');
  }

  #countKeyExchange(): void {
    const now = performance.now();
    this.#exchanges.push(now);
    while (now - (this.#exchanges[0] ?? now) > windowMs) this.#exchanges.shift();
    if (this.#exchanges.length > this.limits.keyExchanges) throw new Abuse('too many key exchanges');
    this.transport.expectKeyExchange();
  }

  #stop(what: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#throttle.stop();
    this.onAbuse(what);
    this.transport.disconnect(what, disconnectReason.protocolError);
  }
}
