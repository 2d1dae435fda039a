import type { EventEmitter } from 'node:events';
import type net from 'node:net';

export interface HttpConnectionLimits {
  /** How many there may be. The one that has waited for the longest makes room for another. */
  readonly connections: number;
  /** How long one may be there without a request: from its beginning or the end of an answer to the end of a head. */
  readonly idleMs: number;
}

/**
 * The connections of a listener for HTTP. One that asks for nothing is ended in
 * time, however busily it sends what is no request, and neither the idle nor
 * the busy ones can be so many that nothing else has room.
 */
export class HttpConnections implements Disposable {
  /** Those without a request, the oldest first. */
  readonly #idle = new Map<net.Socket, NodeJS.Timeout>();
  /** How many requests the others have. */
  readonly #busy = new Map<net.Socket, number>();

  constructor(private readonly limits: HttpConnectionLimits) {}

  /** Lets a connection in. False where all that are there are busy: it is closed. */
  add(socket: net.Socket): boolean {
    if (this.#idle.size + this.#busy.size >= this.limits.connections && !this.#makeRoom()) {
      socket.destroy();
      return false;
    }
    this.#wait(socket);
    socket.once('close', () => this.#forget(socket));
    return true;
  }

  /** A request has come; the connection is busy until `response` says `end`, and so of every other request. */
  began(socket: net.Socket, response: EventEmitter, end: 'close' | 'finish' = 'close'): void {
    if (!this.#knows(socket)) return;
    clearTimeout(this.#idle.get(socket));
    this.#idle.delete(socket);
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    response.once(end, () => this.#ended(socket));
  }

  /** How many requests a connection has. */
  requestsOf(socket: net.Socket): number {
    return this.#busy.get(socket) ?? 0;
  }

  /** All of them, as they are now. */
  [Symbol.iterator](): Iterator<net.Socket> {
    return [...this.#idle.keys(), ...this.#busy.keys()].values();
  }

  /** Ends all of them. */
  [Symbol.dispose](): void {
    for (const socket of this) socket.destroy();
  }

  #knows(socket: net.Socket): boolean {
    return this.#idle.has(socket) || this.#busy.has(socket);
  }

  #wait(socket: net.Socket): void {
    this.#idle.set(socket, setTimeout(() => socket.destroy(), this.limits.idleMs).unref());
  }

  #ended(socket: net.Socket): void {
    const requests = this.#busy.get(socket);
    if (requests === undefined) return;
    if (requests > 1) return void this.#busy.set(socket, requests - 1);
    this.#busy.delete(socket);
    this.#wait(socket);
  }

  #makeRoom(): boolean {
    const [oldest] = this.#idle.keys();
    if (!oldest) return false;
    oldest.destroy();
    this.#forget(oldest);
    return true;
  }

  #forget(socket: net.Socket): void {
    clearTimeout(this.#idle.get(socket));
    this.#idle.delete(socket);
    this.#busy.delete(socket);
  }
}
