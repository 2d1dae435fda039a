/** Set by whoever opens a connection; called when its WebSocket is over. */
let listener: ((close: CloseEvent) => void) | undefined;

/** Tells how a WebSocket ended, which the client that uses it keeps to itself. */
class WatchedSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    const listens = listener;
    this.addEventListener('close', (close) => listens?.(close));
  }
}

/** From now on, `closed` is told how the WebSockets of this page end. */
export function watchSockets(closed: (close: CloseEvent) => void): void {
  listener = closed;
  globalThis.WebSocket = WatchedSocket;
}
