import { once } from 'node:events';
import tls from 'node:tls';
import { FrameReader, write } from '@postern/plugin-sdk';
import { code, cstring, int32, readErrorFields, type ErrorFields } from '../../src/wire.js';
import type { Stand } from './stand.js';

export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** A client that says what it is told to, right or wrong. Speaks direct TLS to a stand. */
export class RawClient implements Disposable {
  readonly #reader: FrameReader;
  /** The body of the last BackendKeyData. */
  key = Buffer.alloc(0);

  private constructor(readonly socket: tls.TLSSocket) {
    this.#reader = new FrameReader(socket, 1_048_576);
  }

  static async open(stand: Stand, user = 'alice', alpn: readonly string[] = ['postgresql']): Promise<RawClient> {
    const { certificate, key } = stand.authority.issue(user);
    const socket = tls.connect({
      host: '127.0.0.1',
      port: stand.port,
      servername: stand.hostname,
      ca: stand.authority.certificate,
      cert: certificate,
      key,
      ALPNProtocols: [...alpn],
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return new RawClient(socket);
  }

  send(...data: readonly Buffer[]): Promise<void> {
    return write(this.socket, Buffer.concat(data));
  }

  /** Sends a StartupMessage with these parameters, in their order. */
  startup(parameters: readonly (readonly [string, string])[], minor = 0): Promise<void> {
    const body = Buffer.concat([...parameters.flat().map(cstring), Buffer.alloc(1)]);
    return this.send(int32(8 + body.length), int32(code.version3 + minor), body);
  }

  /** Logs in and returns what the server said, up to its ReadyForQuery. */
  async login(parameters: readonly (readonly [string, string])[] = [], minor = 0): Promise<Message[]> {
    await this.startup([['user', 'app'], ['database', 'bench'], ...parameters], minor);
    return this.until('Z');
  }

  bytes(count: number): Promise<Buffer> {
    return this.#reader.bytes(count);
  }

  async next(): Promise<Message> {
    const head = await this.#reader.bytes(5);
    const body = Buffer.from(await this.#reader.bytes(head.readUInt32BE(1) - 4));
    const type = String.fromCharCode(head[0] ?? 0);
    if (type === 'K') this.key = body;
    return { type, body };
  }

  /** Messages up to one of this type, or an error that ends the session. */
  async until(type: string): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const message = await this.next();
      messages.push(message);
      if (message.type === type) return messages;
      if (message.type === 'E' && readErrorFields(message.body).severity === 'FATAL') return messages;
    }
  }

  /** The error that comes next, whatever comes before it. */
  async error(): Promise<ErrorFields> {
    const messages = await this.until('E');
    return readErrorFields(messages.at(-1)?.body ?? Buffer.alloc(0));
  }

  /** Waits until the other side has closed the connection. */
  async closed(): Promise<void> {
    if (this.socket.readableEnded || this.socket.destroyed) return;
    this.#reader.release();
    const over = once(this.socket, 'close');
    this.socket.resume();
    await over;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
