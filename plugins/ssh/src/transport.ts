import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import type { Connection } from 'ssh2';
import { internalsOf, type ConnectionInternals, type ProtocolInternals } from './ssh2-internals.js';
import { disconnectReason, message, plainLine, WireWriter } from './wire.js';

/** Above this many unsent bytes nothing more is taken from programs and forwarded connections. */
const congestedBytes = 1024 * 1024;
/** New keys after so much data, or so long (RFC 4253, section 9). ssh2 never begins by itself. */
const bytesPerKey = 1024 ** 3;
const keyLifeMs = 3_600_000;
const keyExchangeMs = 30_000;

/** What wants to know about one channel's messages after ssh2 has seen them. */
export interface ChannelObserver {
  windowOpened(): void;
  closed(): void;
}

/**
 * One SSH connection below its channels: sends what ssh2 has no call for, and
 * says when its output is congested, which ssh2 does not look at.
 */
export class Transport {
  readonly inside: ConnectionInternals;
  readonly #protocol: ProtocolInternals;
  readonly #observers = new Map<number, ChannelObserver>();
  readonly #waiting = new Set<() => void>();
  readonly #over = new AbortController();
  readonly #renewal: NodeJS.Timeout;
  #exchange: NodeJS.Timeout | undefined;
  #bytes = 0;
  #violation: PosternError | undefined;
  #openFailure: { readonly reason: number; readonly text: string } | undefined;

  constructor(readonly connection: Connection) {
    this.inside = internalsOf(connection);
    this.#protocol = this.inside._protocol;
    const relieve = (): void => this.#relieve();
    connection.on('handshake', () => {
      clearTimeout(this.#exchange);
      this.#bytes = 0;
      relieve();
    });
    this.socket.on('drain', relieve);
    this.#renewal = setInterval(() => this.rekey(), keyLifeMs).unref();
    connection.once('end', () => this.abandon());
    connection.once('close', () => this.abandon());
    this.#explainOpenFailures();
  }

  get socket(): Duplex {
    return this.inside._sock;
  }

  /** Aborts once nothing can be said any more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  get alive(): boolean {
    return !this.#over.signal.aborted && this.#protocol._destruct !== undefined && this.socket.writable;
  }

  /** True while a sender should wait: for the client to read, or for the end of a key exchange. */
  get congested(): boolean {
    return this.#protocol._kexinit !== undefined || this.socket.writableLength > congestedBytes;
  }

  /** What the client did that no honest client does, where that ended the connection. */
  get violation(): PosternError | undefined {
    return this.#violation;
  }

  /** The connection ends, for what the client did. Called before its end. */
  violated(what: string): void {
    const text = plainLine(what).slice(0, 256);
    this.#violation ??= PosternError.public('protocol_violation', text);
  }

  /** Calls back once, when {@link congested} may have become false. */
  whenRelieved(callback: () => void): void {
    this.#waiting.add(callback);
  }

  /** Counts data in either direction; enough of it makes new keys. */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > bytesPerKey) this.rekey();
  }

  /** Begins a key exchange, unless one is under way or there are no keys yet. */
  rekey(): void {
    this.#bytes = 0;
    if (!this.alive || this.#protocol._kexinit !== undefined || !this.connection.authenticated) return;
    this.expectKeyExchange();
    this.#protocol.rekey();
  }

  /** A key exchange that begins now must end soon: until then nothing else can be sent. */
  expectKeyExchange(): void {
    clearTimeout(this.#exchange);
    this.#exchange = setTimeout(() => this.disconnect('the key exchange took too long'), keyExchangeMs).unref();
  }

  /** Sends one message; during a key exchange it is queued, as the protocol demands. */
  send(payload: Buffer): void {
    if (!this.alive) return;
    const writer = this.#protocol._packetRW.write;
    const packet = writer.alloc(payload.length);
    packet.set(payload, writer.allocStart);
    const finished = writer.finalize(packet);
    if (this.#protocol._kexinit === undefined) this.#protocol._cipher.encrypt(finished);
    else (this.#protocol._queue ??= []).push(finished);
  }

  /** Text that clients show before the login has succeeded (RFC 4252, section 5.4). */
  banner(text: string): void {
    this.send(new WireWriter().byte(message.authBanner).string(`${text}\r\n`).string('').end());
  }

  /** Says goodbye with a reason that clients show, and ends the connection. Works during a key exchange too. */
  disconnect(text: string, reason: number = disconnectReason.byApplication): void {
    if (this.alive) {
      const payload = new WireWriter().byte(message.disconnect).uint32(reason).string(text).string('').end();
      const writer = this.#protocol._packetRW.write;
      const packet = writer.alloc(payload.length, true);
      packet.set(payload, writer.allocStartKEX);
      this.#protocol._cipher.encrypt(writer.finalize(packet, true));
    }
    this.abandon();
  }

  /** Ends the connection as far as this side is concerned; the kernel closes the stream. */
  abandon(): void {
    if (this.#over.signal.aborted) return;
    clearInterval(this.#renewal);
    clearTimeout(this.#exchange);
    this.#over.abort();
    for (const observer of [...this.#observers.values()]) observer.closed();
    this.#relieve();
  }

  observe(channel: number, observer: ChannelObserver): void {
    this.#observers.set(channel, observer);
  }

  windowOpened(channel: number): void {
    this.#observers.get(channel)?.windowOpened();
  }

  channelClosed(channel: number): void {
    const observer = this.#observers.get(channel);
    this.#observers.delete(channel);
    observer?.closed();
  }

  /** Refuses to open a channel with a reason and a text that the client shows. `reject` is ssh2's own. */
  refuseOpen(reject: () => void, reason: number, text: string): void {
    if (!this.alive) return;
    this.#openFailure = { reason, text };
    try {
      reject();
    } finally {
      this.#openFailure = undefined;
    }
  }

  /** ssh2 refuses channels without a word, and some with the wrong reason. */
  #explainOpenFailures(): void {
    const original = this.#protocol.channelOpenFail.bind(this.#protocol);
    this.#protocol.channelOpenFail = (remote, reason, text) =>
      original(remote, this.#openFailure?.reason ?? reason, this.#openFailure?.text ?? text);
  }

  #relieve(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback();
  }
}
