import type { Grant, Hold, Tapped } from '@postern/plugin-sdk';
import type { Document } from 'bson';
import type { SessionCursors } from './cursors.js';
import { clientHello, smallDocument } from './hello.js';
import type { Journal } from './journal.js';
import type { Mongodb } from './protocol.js';
import type { Pending, SentCommand } from './pending.js';
import { ReplyFieldsReader, type ReplyFields } from './reply-fields.js';
import { broken, encodeAnswer, flag, headerBytes, opcode, parseHeader, type Header } from './wire.js';

/** What servers send at most: their own limit, and what they add to it. */
const maxReplyBytes = 48_000_000 + 65_536;

const maxHelloReply = 65_536;

export interface ReplyTapOptions {
  readonly grant: Grant<Mongodb>;
  readonly pending: Pending;
  readonly journal: Journal;
  readonly cursors: SessionCursors;
  readonly maxCursors: number;
  readonly maxMessageBytes: number;
}

/** The reply that is being read. */
interface Reply {
  readonly header: Header;
  readonly command: SentCommand;
  readonly fields: ReplyFieldsReader;
  flags: number;
  /** Bytes of it that have been read. */
  read: number;
}

/** How far was read, and what goes on in the place of what lies behind `from`. */
interface Step {
  readonly at: number;
  readonly from: number;
  readonly instead?: Buffer;
}

/**
 * Follows what a server sends, which goes on as it came: only the answers to
 * greetings are put in other words.
 */
export class ReplyTap {
  /** The beginning of a reply that was not complete enough to know what becomes of it. */
  #held: Buffer = Buffer.alloc(0);
  #reply: Reply | undefined;
  readonly #prefix = Buffer.alloc(5);
  #waits: Promise<void>[] = [];

  constructor(private readonly options: ReplyTapOptions) {}

  /** True where nothing of a reply is with the client that is not whole. */
  get between(): boolean {
    return this.#reply === undefined;
  }

  readonly tap = (chunk: Buffer): Tapped | Promise<Tapped> => {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const onward: Buffer[] = [];
    this.#waits = [];
    let from = 0;
    let at = 0;
    while (at < data.length) {
      const step = this.#reply ? this.#read(this.#reply, data, at) : this.#begin(data, at);
      if (step === undefined) break;
      at = step.at;
      if (step.instead) {
        onward.push(data.subarray(from, step.from), step.instead);
        from = at;
      }
      const own = this.#reply ? [] : this.options.pending.takeOwn();
      if (own.length > 0) {
        onward.push(data.subarray(from, at), ...own);
        from = at;
      }
    }
    this.#held = at < data.length ? Buffer.from(data.subarray(at)) : Buffer.alloc(0);
    onward.push(data.subarray(from, at));
    return this.#pass(onward);
  };

  #pass(onward: readonly Buffer[]): Tapped | Promise<Tapped> {
    const data = onward.length === 1 ? onward[0] : Buffer.concat(onward);
    if (this.#waits.length === 0) return data;
    const { pending } = this.options;
    pending.hold();
    return Promise.all(this.#waits).then(() => {
      // Not before these bytes are on their way, so that no answer of ours comes into the middle of them.
      setImmediate(() => pending.free());
      return data;
    });
  }

  /** A new reply. Nothing where more of it is needed. */
  #begin(data: Buffer, at: number): Step | undefined {
    if (data.length - at < headerBytes) return undefined;
    const header = parseHeader(data, at, maxReplyBytes);
    const command = this.options.pending.head;
    if (!command || header.responseTo !== command.expects) throw broken('the server answered what nobody has asked');
    if (command.kind === 'hello') return this.#greeting(data, at, { header, command });
    if (header.opcode !== opcode.message) throw broken('the server answered in a way that was not agreed on');
    this.#reply = { header, command, fields: new ReplyFieldsReader(), flags: 0, read: headerBytes };
    return { at: at + headerBytes, from: at };
  }

  #greeting(data: Buffer, at: number, { header, command }: Pick<Reply, 'header' | 'command'>): Step | undefined {
    if (header.length > maxHelloReply) throw broken('the answer to a greeting is too long');
    if (data.length - at < header.length) return undefined;
    const end = at + header.length;
    const answer = greetingIn(data.subarray(at, end), header);
    const { maxMessageBytes } = this.options;
    this.options.pending.shift();
    const shown = !('maxWireVersion' in answer) ? answer : clientHello(answer, { maxMessageBytes });
    return { at: end, from: at, instead: encodeAnswer(command, shown) };
  }

  #read(reply: Reply, data: Buffer, at: number): Step {
    const { header, fields } = reply;
    const end = Math.min(data.length, at + header.length - reply.read);
    let position = at;
    while (position < end && reply.read < headerBytes + 5) {
      this.#prefix[reply.read - headerBytes] = data[position] ?? 0;
      position += 1;
      reply.read += 1;
    }
    if (reply.read === headerBytes + 5) this.#opened(reply);
    const read = fields.read(data.subarray(0, end), position);
    reply.read += read - position;
    // A checksum may follow, which is the client's to verify.
    if (read < end) {
      const announced = (reply.flags & flag.checksum) !== 0 && fields.done;
      if (!announced || header.length - reply.read > 4) throw malformed();
      reply.read += end - read;
    }
    if (reply.read === header.length) this.#complete(reply);
    return { at: end, from: at };
  }

  #opened(reply: Reply): void {
    reply.flags = this.#prefix.readUInt32LE(0);
    if ((reply.flags & 0xffff & ~(flag.checksum | flag.moreToCome)) !== 0 || this.#prefix[4] !== 0) throw malformed();
  }

  #complete(reply: Reply): void {
    if (!reply.fields.done) throw malformed();
    const { command, header, flags } = reply;
    const { fields } = reply.fields;
    this.#reply = undefined;
    this.#keep(command, fields);
    this.#wait(this.options.journal.answered(command, fields));
    if ((flags & flag.moreToCome) === 0) return this.options.pending.shift();
    command.expects = header.requestId;
    // Nobody asks again for what a server sends on and on, so that it is decided again here.
    for (const ask of command.asks) this.#wait(this.options.grant.check(ask));
  }

  #wait(hold: Hold): void {
    if (hold instanceof Promise) this.#waits.push(hold);
  }

  #keep({ user, asks, cursor: read }: SentCommand, { cursor, namespace, code }: ReplyFields): void {
    const { cursors, maxCursors } = this.options;
    if (read !== undefined && (code === cursorNotFound || (cursor !== undefined && cursor !== read)))
      cursors.close(user, read);
    if (cursor !== undefined && cursor !== '0' && cursor !== read)
      cursors.open(user, cursor, { asks, namespace }, maxCursors);
  }
}

/** `CursorNotFound` (MongoDB, error codes). */
const cursorNotFound = 43;

const malformed = (): Error => broken('a reply of the server is malformed');

/** The document of an answer to a greeting: in OP_REPLY, as the greeting was an OP_QUERY, or in OP_MSG. */
export function greetingIn(data: Buffer, header: Header): Document {
  const start = header.opcode === opcode.reply ? headerBytes + 20 : headerBytes + 5;
  const known = header.opcode === opcode.reply || (header.opcode === opcode.message && data[headerBytes + 4] === 0);
  const checksum = header.opcode === opcode.message && ((data[headerBytes] ?? 0) & flag.checksum) !== 0 ? 4 : 0;
  const document =
    known && data.length > start ? smallDocument(data.subarray(start, data.length - checksum)) : undefined;
  if (!document) throw malformed();
  return document;
}
