import { constants, inflateSync } from 'node:zlib';
import { PosternError } from '@postern/plugin-sdk';
import { spdyDictionary } from './spdy-dictionary.js';

/** All header blocks of a connection's direction together: `exec` has five streams with a few words each. */
const maxCompressed = 16_384;
const maxPlain = 65_536;

const violation = (message: string, cause?: unknown): PosternError =>
  new PosternError('protocol_violation', message, { cause });

/**
 * Reads the header blocks of one direction, which are one zlib stream (draft-
 * mbelshe-httpbis-spdy-00, section 2.6.10). It is read from its beginning each
 * time, which keeps this synchronous and costs little: the blocks are few.
 */
export class SpdyHeaders {
  #compressed = Buffer.alloc(0);
  #read = 0;

  /** Names in lower case. Throws `protocol_violation` for what is no header block, and for too many of them. */
  next(block: Buffer): ReadonlyMap<string, string> {
    this.#compressed = Buffer.concat([this.#compressed, block]);
    if (this.#compressed.length > maxCompressed) throw violation('the SPDY header blocks of a connection are too long');
    const all = this.#inflate();
    const plain = all.subarray(this.#read);
    this.#read = all.length;
    return readPairs(plain);
  }

  #inflate(): Buffer {
    try {
      return inflateSync(this.#compressed, {
        dictionary: spdyDictionary,
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: maxPlain,
      });
    } catch (cause) {
      throw violation('a SPDY header block cannot be unpacked', cause);
    }
  }
}

function readPairs(block: Buffer): ReadonlyMap<string, string> {
  let at = 0;
  const number = (): number => {
    if (block.length - at < 4) throw violation('a SPDY header block ends too early');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - at) throw violation('a SPDY header block ends too early');
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const pairs = new Map<string, string>();
  for (let left = number(); left > 0; left -= 1) {
    const name = text();
    // Two of a name could be read in two ways.
    if (pairs.has(name.toLowerCase())) throw violation('a SPDY header block names something twice');
    pairs.set(name.toLowerCase(), text());
  }
  if (at !== block.length) throw violation('a SPDY header block is longer than it says');
  return pairs;
}
