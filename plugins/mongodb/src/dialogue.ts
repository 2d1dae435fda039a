import type { Duplex } from 'node:stream';
import { FrameReader, write } from '@postern/plugin-sdk';
import type { Document } from 'bson';
import { greetingIn } from './reply-tap.js';
import { encodeMessage, headerBytes, opcode, parseHeader, broken } from './wire.js';

/** Answers to greetings and logins are short. */
const maxAnswer = 65_536;

/** One command after the other at a server, before a client speaks for itself. */
export class Dialogue {
  readonly #reader: FrameReader;
  #requestId = 0;

  constructor(readonly stream: Duplex) {
    this.#reader = new FrameReader(stream, maxAnswer);
  }

  /** The server's answer, whether that is a failure or not. Rejects where it is none. */
  async run(command: Document): Promise<Document> {
    const requestId = (this.#requestId += 1);
    await write(this.stream, encodeMessage({ requestId }, command));
    const head = await this.#reader.bytes(headerBytes);
    const header = parseHeader(head, 0, maxAnswer);
    if (header.opcode !== opcode.message || header.responseTo !== requestId)
      throw broken('the server answered what nobody has asked');
    const data = Buffer.concat([head, await this.#reader.bytes(header.length - headerBytes)]);
    return greetingIn(data, header);
  }

  /** What came that nobody has asked for. The dialogue is over. */
  release(): Buffer {
    return this.#reader.release();
  }
}
