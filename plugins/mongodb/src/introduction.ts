import type { Duplex } from 'node:stream';
import { FrameReader, PosternError } from '@postern/plugin-sdk';
import { isHello, isLogin } from './command-class.js';
import { loginAnswer } from './client-tap.js';
import { loginIn, type Login } from './hello.js';
import { parseRequest, type Request } from './request.js';
import { encodeAnswer, headerBytes, opcode, parseHeader, type Asker } from './wire.js';

/** What is longer is no greeting and no login. */
const maxMessage = 16_384;

/** No message is longer, whoever sends it. */
const maxAnnounced = 48_000_000;

/** A message of a client that nobody is yet. */
export type Said =
  | { readonly kind: 'request'; readonly request: Request }
  /** Of which only the head was read. */
  | { readonly kind: 'large'; readonly asker: Asker; readonly head: Buffer };

/** What a client wants that needs somebody to do it: to log in, or to do something as whoever it usually is. */
export interface Wanted {
  readonly kind: 'login' | 'command';
  readonly asker: Asker;
  readonly login: Login;
  readonly user?: string;
  /** What is yet to be done, once somebody is there to do it. */
  readonly unread: Buffer;
}

/** What a message is about. */
export type Wish =
  | Wanted
  | { readonly kind: 'greeting'; readonly request: Request }
  | { readonly kind: 'refused'; readonly answer: Buffer };

const nothing = Buffer.alloc(0);
const nobody: Login = { certificate: false };

/** Reads what a client says until it is known who it is. */
export class Introduction {
  readonly #reader: FrameReader;
  #waiting: Asker | undefined;

  constructor(stream: Duplex) {
    this.#reader = new FrameReader(stream, maxMessage);
  }

  /** Who waits for an answer. */
  get waiting(): Asker | undefined {
    return this.#waiting;
  }

  answered(): void {
    this.#waiting = undefined;
  }

  /** The next message. Rejects with `aborted` where the client leaves instead. */
  async next(): Promise<Said> {
    const head = await this.#reader.head(headerBytes);
    if (!head) throw new PosternError('aborted', 'the client left without a word');
    this.#waiting = { requestId: head.readInt32LE(4), legacy: head.readInt32LE(12) === opcode.query };
    const header = parseHeader(head, 0, maxAnnounced);
    if (header.length > maxMessage) return { kind: 'large', asker: this.#waiting, head: Buffer.from(head) };
    const data = Buffer.concat([head, await this.#reader.bytes(header.length - headerBytes)]);
    return { kind: 'request', request: parseRequest({ header, data }) };
  }

  /** What is to be done about a message. */
  wish(said: Said): Wish {
    if (said.kind === 'large') return { kind: 'command', asker: said.asker, login: nobody, unread: said.head };
    const { request } = said;
    if (isHello(request.name)) return { kind: 'greeting', request };
    if (!isLogin(request.name)) return { kind: 'command', asker: request, login: nobody, unread: request.data };
    const login = loginIn(request);
    if (!login.certificate) return { kind: 'refused', answer: encodeAnswer(request, loginAnswer(login, '')) };
    return { kind: 'login', asker: request, login, unread: nothing, ...login };
  }

  /** Whoever leaves between two messages has done nothing wrong. */
  leftQuietly(cause: unknown): undefined {
    if (this.#waiting || !PosternError.is(cause) || cause.code !== 'aborted') throw cause;
    return undefined;
  }

  /** What has been read and not been understood, for whoever reads on. */
  release(): Buffer {
    return Buffer.from(this.#reader.release());
  }
}
