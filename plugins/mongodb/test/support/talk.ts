import type { Duplex } from 'node:stream';
import { deserialize, Long, serialize, type Document } from 'bson';
import { MessageReader, type Message } from '../../src/message-reader.js';
import { encodeLegacyQuery, encodeMessage, opcode } from '../../src/wire.js';

let lastId = 100;

export interface MessageOptions {
  readonly flags?: number;
  readonly sequences?: Readonly<Record<string, readonly Document[]>>;
  readonly requestId?: number;
}

/** A command as drivers send it. */
export function message(body: Document, { flags = 0, sequences = {}, requestId }: MessageOptions = {}): Buffer {
  const sections = Object.entries(sequences).map(([name, documents]) => {
    const rest = Buffer.concat([Buffer.from(`${name}\0`), ...documents.map((document) => serialize(document))]);
    const head = Buffer.alloc(5);
    head[0] = 1;
    head.writeInt32LE(rest.length + 4, 1);
    return Buffer.concat([head, rest]);
  });
  const plain = encodeMessage({ requestId: requestId ?? (lastId += 1) }, body);
  const whole = Buffer.concat([plain, ...sections]);
  whole.writeInt32LE(whole.length, 0);
  whole.writeUInt32LE(flags, 16);
  return whole;
}

/** The greeting of a client that says whom it wants to be, as an old one does or as a new one. */
export function hello(user?: string, { legacy = false } = {}): Buffer {
  const login = user !== undefined && {
    speculativeAuthenticate: { authenticate: 1, mechanism: 'MONGODB-X509', user, db: '$external' },
  };
  const more = { client: { driver: { name: 'test', version: '1' } }, compression: ['zlib', 'none'], ...login };
  if (legacy) return encodeLegacyQuery({ requestId: (lastId += 1) }, { ismaster: 1, helloOk: true, ...more });
  return message({ hello: 1, helloOk: true, ...more, $db: 'admin' });
}

/** The cursor in an answer. */
export function cursorOf(answer: Document): { readonly id: Long; readonly size: number } {
  const { id, firstBatch, nextBatch } = answer['cursor'] as Readonly<
    Record<'id' | 'firstBatch' | 'nextBatch', unknown>
  >;
  const batch = (firstBatch ?? nextBatch) as readonly unknown[];
  return { id: Long.fromValue(id as Long | number), size: batch.length };
}

/** A client that speaks message by message. */
export class Talk {
  readonly #reader = new MessageReader(48_100_000);
  readonly #waiting: ((message: Message | undefined) => void)[] = [];
  readonly #messages: Message[] = [];
  ended = false;

  constructor(readonly stream: Duplex) {
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    for (const event of ['end', 'close', 'error']) stream.once(event, () => this.#end());
  }

  send(data: Buffer): void {
    this.stream.write(data);
  }

  /** Sends, and reads one answer. */
  async ask(data: Buffer): Promise<Document> {
    this.send(data);
    return this.answer();
  }

  /** The next answer. Rejects where the other side has left. */
  async answer(): Promise<Document> {
    const found = await this.message();
    if (!found) throw new Error('there is no answer');
    const start = found.header.opcode === opcode.reply ? 36 : 21;
    return deserialize(found.data.subarray(start));
  }

  /** The next message; nothing where the other side has left. */
  async message(): Promise<Message | undefined> {
    const next = this.#messages.shift();
    if (next || this.ended) return next;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    for (let one = this.#reader.next(); one; one = this.#reader.next()) {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(one);
      else this.#messages.push(one);
    }
  }

  #end(): void {
    this.ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }
}
