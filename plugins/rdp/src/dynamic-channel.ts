import { asBuffer, Cursor, Malformed, u32 } from './bytes.js';
import type { Use } from './protocol.js';
import { chunkFlag, chunksOf, readChunk } from './virtual-channel.js';

const createCommand = 1;

/** Graphics that would go around the recording. */
const graphics = /^(microsoft::windows::rds::(graphics|video)|tsmf|rdpgfx|rdpei?gfx)/i;
const sound = /^audio_/i;
/** Size and shape of the screen: part of every session. */
const always = /^microsoft::windows::rds::(displaycontrol|geometry)/i;

/** Creation failed, as an NTSTATUS. */
const unsuccessful = 0xc000_0001;

/** A dynamic channel that a desktop wants to open. */
export interface DynamicCreation {
  readonly name: string;
  /** What says no to the desktop. */
  readonly refusal: readonly Buffer[];
}

/** What a dynamic channel is for: part of the session, never allowed while it is recorded, or a use that roles allow. */
export type Purpose = 'screen' | 'unrecordable' | Use;

export function purposeOf(name: string): Purpose {
  if (always.test(name)) return 'screen';
  if (graphics.test(name)) return 'unrecordable';
  return sound.test(name) ? 'sound' : 'channel';
}

/**
 * Reads a chunk of the desktop in the static channel `drdynvc` (MS-RDPEDYC
 * 2.2.2.1): undefined unless it opens a channel.
 *
 *     cbId (bits 0-1), priority (2-3), command (4-7) | channel id (1, 2 or 4 bytes) | name, zero-terminated
 */
export function readCreation(payload: Buffer): DynamicCreation | undefined {
  const { flags, data } = readChunk(payload);
  const whole = (flags & chunkFlag.first) !== 0 && (flags & chunkFlag.last) !== 0;
  if ((flags & chunkFlag.first) === 0) return undefined;
  const cursor = new Cursor(data);
  const head = cursor.u8();
  if (head >> 4 !== createCommand) return undefined;
  if (!whole) throw new Malformed('the creation of a channel in pieces');
  const size = [1, 2, 4][head & 3];
  if (size === undefined) throw new Malformed('a channel id of an unknown size');
  const id = cursor.take(size);
  const text = asBuffer(cursor.rest());
  const end = text.indexOf(0);
  const name = text.toString('latin1', 0, end < 0 ? text.length : end).slice(0, 256);
  if (!/^[\x20-\x7e]+$/.test(name)) throw new Malformed('a channel without a readable name');
  const answer = Buffer.concat([Buffer.from([(createCommand << 4) | (head & 3)]), id, u32(unsuccessful)]);
  return { name, refusal: chunksOf(answer) };
}
