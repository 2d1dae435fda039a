import net from 'node:net';
import { PosternError } from '@postern/plugin-sdk';

/** Two ends of one connection inside this process. `far` is paused, as whoever takes a hand-over expects it. */
export interface SocketPair {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

/**
 * Makes connected sockets, so that what the proxy itself says to an agent goes
 * the way of every other connection. Node has no `socketpair`: a unix socket in
 * a directory that is private to this process's user stands in for it.
 */
export class SocketPairs implements AsyncDisposable {
  readonly #server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  readonly #open = new Set<net.Socket>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly path: string) {}

  /** `path`: where nothing is yet, in a directory of mode 0700. */
  static async open(path: string): Promise<SocketPairs> {
    const pairs = new SocketPairs(path);
    await new Promise<void>((resolve, reject) => {
      pairs.#server.once('error', reject);
      const mask = process.umask(0o177);
      pairs.#server.listen(path, resolve);
      process.umask(mask);
    });
    pairs.#server.removeAllListeners('error').on('error', () => {});
    return pairs;
  }

  /** One at a time, so that the two ends belong together. Rejects with `unavailable` where no descriptor is left. */
  make(): Promise<SocketPair> {
    const made = this.#last.then(() => this.#make());
    this.#last = made.catch(() => {});
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  #make(): Promise<SocketPair> {
    return new Promise((resolve, reject) => {
      const near = net.connect({ path: this.path, allowHalfOpen: true });
      const accepted = (far: net.Socket): void => {
        near.off('error', failed).on('error', () => {});
        far.on('error', () => {});
        for (const socket of [near, far]) {
          this.#open.add(socket);
          socket.once('close', () => this.#open.delete(socket));
        }
        resolve({ near, far });
      };
      const failed = (cause: Error): void => {
        this.#server.off('connection', accepted);
        near.destroy();
        reject(PosternError.public('unavailable', 'the proxy has no connection left', cause));
      };
      this.#server.once('connection', accepted);
      near.once('error', failed);
    });
  }
}
