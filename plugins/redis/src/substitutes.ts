import { randomBytes } from 'node:crypto';
import { encodeCommand } from './wire.js';

/** Where a reply that is looked for may have been cut by the end of a chunk: no longer than such a reply is. */
const longestReply = 512;
const lineEnd = Buffer.from('\r\n');

/**
 * Answers commands that the server never gets, in their turn. In the place of
 * such a command the server gets one that it cannot know, named by a secret of
 * this session, and where it says so the client is told what it should be told.
 * Nobody has to count replies, which no proxy can do once a client subscribes,
 * monitors or switches replies off; and a transaction in which a command was
 * refused is discarded, as Redis does it itself.
 */
export class Substitutes {
  /** Cannot occur in data by chance, nor be known to anybody but the server. */
  readonly #name = `postern-${randomBytes(16).toString('hex')}`;
  readonly #command = encodeCommand([this.#name]);
  readonly #token = Buffer.from(this.#name);
  readonly #replies: Buffer[] = [];
  #held = Buffer.alloc(0);

  /** What to send to the server so that the client gets this reply. */
  add(reply: Buffer): Buffer {
    this.#replies.push(reply);
    return this.#command;
  }

  /** What to send to the client in the place of what came from the server. */
  filter(chunk: Buffer): Buffer {
    if (this.#replies.length === 0 && this.#held.length === 0) return chunk;
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const onward: Buffer[] = [];
    while (this.#replies.length > 0) {
      const found = this.#find(rest);
      if (!found) break;
      onward.push(rest.subarray(0, found.start), this.#replies.shift() ?? lineEnd);
      rest = rest.subarray(found.end);
    }
    const cut = this.#replies.length === 0 ? rest.length : incompleteLine(rest);
    this.#held = Buffer.from(rest.subarray(cut));
    onward.push(rest.subarray(0, cut));
    return Buffer.concat(onward);
  }

  /** The error line that names our command. */
  #find(data: Buffer): { readonly start: number; readonly end: number } | undefined {
    const token = data.indexOf(this.#token);
    if (token < 0) return undefined;
    const end = data.indexOf(lineEnd, token);
    if (end < 0) return undefined;
    const before = data.lastIndexOf(0x0a, token);
    return { start: before + 1, end: end + lineEnd.length };
  }
}

/** Where a line begins at the end of `data` that may become the reply that is waited for. More will come, since it will. */
function incompleteLine(data: Buffer): number {
  const from = Math.max(0, data.length - longestReply);
  const lastEnd = data.lastIndexOf(0x0a);
  const start = lastEnd >= from ? lastEnd + 1 : from === 0 ? 0 : data.length;
  // A CR at the very end may be the first half of a line's end.
  return data[start] === 0x2d ? start : data.length;
}
