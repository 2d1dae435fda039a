import type http from 'node:http';
import type http2 from 'node:http2';

/** A request that is being answered. */
export interface Exchange {
  readonly request: http.IncomingMessage | http2.Http2ServerRequest;
  readonly response: http.ServerResponse | http2.Http2ServerResponse;
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
 * have nothing to say, nobody is slow. `received`: bytes of the client so far.
 */
export function watchClient(
  { request, response }: Exchange,
  { stallMs, stallBytes }: SlowClientLimits,
  received: () => number,
  cut: () => void,
): void {
  let [before, quiet, owed] = [received(), 0, false];
  const timer = setInterval(() => {
    const came = received() - before;
    before += came;
    quiet = came === 0 && !request.complete ? quiet + 1 : 0;
    const bodyIsSlow = !request.complete && request.readableLength === 0 && came < stallBytes;
    const answerIsSlow = owed && response.writableLength > 0;
    owed = response.writableLength > 0;
    if (bodyIsSlow || answerIsSlow || quiet >= maxQuiet) cut();
  }, stallMs).unref();
  response.on('drain', () => (owed = false));
  response.once('close', () => clearInterval(timer));
}
