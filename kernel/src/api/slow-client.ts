import type http from 'node:http';
import type http2 from 'node:http2';
import type net from 'node:net';
import { bytesGone } from './bytes-gone.js';

/** A request that is being answered. */
export interface Exchange {
  readonly response: http.ServerResponse | http2.Http2ServerResponse;
  /** Whether the whole request is here. */
  isComplete(): boolean;
  /** How much of its body waits for us. */
  waiting(): number;
  /** Bytes of the client so far. */
  received(): number;
  /** Bytes to the client so far, as far as they are known: those that have gone, not those that wait. */
  taken(): number;
}

export interface SlowClientLimits {
  /** How often it is looked whether the client goes on. */
  readonly stallMs: number;
  /** As many bytes at least a body must bring between two looks, where we wait for it. */
  readonly stallBytes: number;
}

/** A body that does not move at all for so many looks is given up, whoever does not go on. */
const maxQuiet = 5;

/**
 * Calls `cut` for a client that lets us wait: for the rest of a body, or for
 * taking any of an answer that is ready. Where it is we who do not read, or who
 * have nothing to say, nobody is slow.
 */
export function watchClient(exchange: Exchange, { stallMs, stallBytes }: SlowClientLimits, cut: () => void): void {
  const { response } = exchange;
  let [before, quiet] = [exchange.received(), 0];
  let [taken, owed, drained] = [exchange.taken(), 0, false];
  /** Nothing of what was owed at the look before has gone since. */
  const takesNothing = (): boolean => {
    const now = { taken: exchange.taken(), owed: response.writableLength };
    const stands = owed > 0 && now.owed >= owed && now.taken <= taken && !drained;
    [taken, owed, drained] = [now.taken, now.owed, false];
    return stands;
  };
  const timer = setInterval(() => {
    const came = exchange.received() - before;
    before += came;
    const isComing = !exchange.isComplete();
    quiet = isComing && came === 0 ? quiet + 1 : 0;
    const bodyIsSlow = isComing && exchange.waiting() === 0 && came < stallBytes;
    const answerIsSlow = takesNothing();
    if (bodyIsSlow || answerIsSlow || quiet >= maxQuiet) cut();
  }, stallMs).unref();
  response.on('drain', () => (drained = true));
  response.once('close', () => clearInterval(timer));
}

/** The same for a request of HTTP/1.1, which has its connection to itself: `raw`, which is closed. */
export function watchConnection(
  raw: net.Socket,
  { request, response }: { readonly request: http.IncomingMessage; readonly response: Exchange['response'] },
  limits: SlowClientLimits,
): void {
  const exchange = {
    response,
    isComplete: () => request.complete,
    waiting: () => request.readableLength,
    received: () => raw.bytesRead,
    taken: () => bytesGone(raw),
  };
  watchClient(exchange, limits, () => raw.destroy());
}
