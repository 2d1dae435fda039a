import type net from 'node:net';
import type { Destination } from './router.js';

/** A connection that leads to an agent, to the Auth Service, or to a part of the proxy itself. */
export interface Call {
  /** Names this connection among the live ones of the cluster; 31 bits, so that it fits a process id. */
  readonly connection: number;
  /** The client's address as the proxy saw it, or as a trusted balancer stated it. */
  readonly source: string;
  /** The name that the client asked for, lower case; empty where it named nobody. */
  readonly name: string;
  readonly route: Exclude<Destination, { readonly kind: 'unknown' }>;
  /** Absent where the client asked by a route preamble: then its first bytes are its own. */
  readonly hello?: { readonly sni?: string; readonly alpn: readonly string[] };
}

/** A call together with its stream: what an agent receives, in the proxy's process or in its own. */
export interface Handover extends Call {
  /**
   * A real socket, paused, which yields the client's bytes from the ClientHello
   * on (or from behind the preamble), untouched. It has an `error` listener.
   * Whoever takes it resumes it, destroys it, and looks at `readableEnded`:
   * where the client said nothing more, the end may have been seen already.
   */
  readonly socket: net.Socket;
  /** Takes the messages about this connection that came on other ones: unauthenticated, and at most 4 kB each. */
  onSignal(listener: (payload: Buffer) => void): void;
}

/** Takes over a connection. Must not throw. */
export type Take = (handover: Handover) => void;

/** One way to reach somebody who takes connections. */
export interface Dialer {
  /**
   * Makes ready for the call and resolves to what takes its stream. Rejects
   * with `unavailable` where nobody is there, and gives up when the signal
   * aborts, because the client has gone or the time is over.
   */
  dial(call: Call, signal: AbortSignal): Promise<Take>;
}

/** Reaches somebody in the same process, who is handed the client's own socket. */
export function localDialer(take: Take): Dialer {
  return { dial: () => Promise.resolve(take) };
}
