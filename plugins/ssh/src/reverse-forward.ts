import { PosternError } from '@postern/plugin-sdk';
import type { TcpipBindInfo } from 'ssh2';
import type { Conversation } from './conversation.js';
import { isLoopback, listeningHost } from './forward-address.js';
import { startListener, type Listener } from './listener.js';
import { openChannel } from './open-channel.js';
import { plainLine } from './wire.js';

const firstUnprivilegedPort = 1024;
const maximumListeners = 32;

/** Ports on which the node listens for one client (`-R`): on loopback only, where a role allows it. */
export class ReverseForwards {
  readonly #listeners = new Map<string, Listener>();

  constructor(private readonly conversation: Conversation) {}

  /** Listens, and resolves with the port. Rejects where it may not or cannot. */
  async open({ bindAddr, bindPort }: TcpipBindInfo): Promise<number> {
    const { conversation } = this;
    const host = await this.#check(bindAddr, bindPort);
    await conversation.require('reverse_forward', { host, port: bindPort });
    await conversation.context.audit.emit('reverse_forward', { host, port: bindPort });
    const { transport, ssh } = conversation.connection;
    const limit = conversation.context.config.max_channels;
    const address = host === '::1' ? '::1' : '127.0.0.1';
    const listener = await startListener({ host: address, port: bindPort }, async (socket) => {
      const source = socket.remoteAddress ?? address;
      await conversation.context.audit.emit('reverse_connection', { port: listener.port, source });
      // The client finds its own destination by the address that it asked for, in its own spelling.
      return openChannel(transport, limit, (callback) =>
        ssh.forwardOut(bindAddr, listener.port, source, socket.remotePort ?? 0, callback),
      );
    });
    const key = keyOf(bindAddr, listener.port);
    if (!transport.alive || this.#listeners.has(key)) {
      await listener.close();
      throw new PosternError('aborted', 'the client is gone');
    }
    this.#listeners.set(key, listener);
    return listener.port;
  }

  /** False where there is no such listener. */
  async cancel({ bindAddr, bindPort }: TcpipBindInfo): Promise<boolean> {
    const key = keyOf(bindAddr, bindPort);
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    await listener?.close();
    return listener !== undefined;
  }

  async close(): Promise<void> {
    const all = [...this.#listeners.values()];
    this.#listeners.clear();
    await Promise.all(all.map((listener) => listener.close()));
  }

  async #check(bindAddress: string, port: number): Promise<string> {
    const host = listeningHost(bindAddress);
    const problem = this.#problemWith(host, port);
    if (problem === undefined && host !== undefined) return host;
    const text = problem ?? `the node listens on loopback only, not on ${plainLine(bindAddress).slice(0, 64)}`;
    await this.conversation.refused('tcpip-forward', text);
    throw PosternError.public('access_denied', text);
  }

  #problemWith(host: string | undefined, port: number): string | undefined {
    if (host !== undefined && !isLoopback(host)) return `the node listens on loopback only, not on ${host}`;
    if (port !== 0 && port < firstUnprivilegedPort && this.conversation.login.uid !== 0)
      return `port ${port} is for root only`;
    return this.#listeners.size >= maximumListeners ? 'too many listeners' : undefined;
  }
}

const keyOf = (address: string, port: number): string => `${address}:${port}`;
