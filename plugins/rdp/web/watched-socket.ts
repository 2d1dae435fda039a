/** From now on, `closed` is told how the WebSockets of this page end, which the client that uses them keeps to itself. */
export function watchSockets(closed: (close: CloseEvent) => void): void {
  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('close', closed);
    }
  };
}
