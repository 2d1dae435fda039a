import type { ApiRequest } from './api-request.js';
import type { RemoteCommand } from './remote-command.js';

/** One request that was forwarded, until its response is complete. */
export interface Exchange {
  readonly sequence: number;
  readonly method: string;
  readonly request: ApiRequest;
  readonly began: number;
  /** The protocol to change to, where that was asked for. */
  readonly upgrade: string | undefined;
  /** What `exec` and `attach` may agree on; empty for everything else. */
  readonly offered: readonly string[];
  /** What runs in a container, for `exec` and `attach`. */
  readonly command: RemoteCommand | undefined;
}

/**
 * Who speaks on a connection. One request is answered before the next is
 * looked at, so that answers of ours and of the API server never mix.
 */
export class Turns {
  #pending: Exchange | undefined;
  #switched = false;
  #answering = false;
  #wake: (() => void) | undefined;

  /** The request that waits for its response. */
  get pending(): Exchange | undefined {
    return this.#pending;
  }

  get switched(): boolean {
    return this.#switched;
  }

  /** True where a word of ours would be read as a response: one is owed, and none of it was sent. */
  get owed(): boolean {
    return this.#pending !== undefined && !this.#answering && !this.#switched;
  }

  begin(exchange: Exchange): void {
    this.#pending = exchange;
    this.#answering = false;
  }

  /** The final response has begun. */
  answering(): void {
    this.#answering = true;
  }

  finish(): void {
    this.#pending = undefined;
    this.#wakeUp();
  }

  switchOver(): void {
    this.#switched = true;
    this.#wakeUp();
  }

  /** Resolves when the next thing that the client says may be looked at. */
  wait(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
