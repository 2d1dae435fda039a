import { crc32 } from 'node:zlib';
import { maxLineBytes } from '../event.js';

/*
 * One record of a spool, in text, so that a person can read it:
 *
 *     00000123 89abcdef {"id":…}\n
 *     length   CRC-32   payload: a JSON object without a newline
 *
 * Both numbers are 8 lower-case hexadecimal digits; the CRC is over the payload.
 */
const headerBytes = 18;
const newline = 0x0a;
const space = 0x20;

/** The longest record, in bytes. */
export const maxFrameBytes = headerBytes + maxLineBytes + 1;

const digits = Buffer.from('0123456789abcdef', 'latin1');

/** Writes 8 digits and the space behind them. */
function writeNumber(target: Buffer, offset: number, value: number): void {
  for (let at = 0; at < 8; at += 1) target[offset + at] = digits[(value >>> (28 - 4 * at)) & 15] as number;
  target[offset + 8] = space;
}

/** How much room a record needs at most. */
export const frameRoom = (payload: string): number => headerBytes + 3 * payload.length + 1;

/** Writes a record at `offset` and returns where it ends. The target must have {@link frameRoom} left. */
export function writeFrame(target: Buffer, offset: number, payload: string): number {
  const start = offset + headerBytes;
  const length = target.write(payload, start, 'utf8');
  writeNumber(target, offset, length);
  writeNumber(target, offset + 9, crc32(target.subarray(start, start + length)));
  target[start + length] = newline;
  return start + length + 1;
}

/** The payload of a record that was written from `start` to `end`. */
export const payloadOf = (target: Buffer, start: number, end: number): Buffer =>
  target.subarray(start + headerBytes, end - 1);

export type FramePiece =
  | { readonly kind: 'record'; readonly payload: Buffer; readonly start: number; readonly end: number }
  /** Bytes that are no record, although a whole one may have been there. */
  | { readonly kind: 'damage'; readonly start: number; readonly end: number }
  /** The beginning of a record whose writing was cut short, at the end of the file: nobody was told that it is kept. */
  | { readonly kind: 'torn'; readonly start: number; readonly end: number };

/**
 * Walks over the records in `bytes`, which begin where a record does. `atEnd`
 * says that nothing follows. Returns the offset of the first byte that needs
 * more bytes to be judged.
 */
export function* framesIn(bytes: Buffer, atEnd: boolean): Generator<FramePiece, number> {
  let offset = 0;
  while (offset < bytes.length) {
    const end = frameEnd(bytes, offset);
    if (end > 0) {
      yield { kind: 'record', payload: bytes.subarray(offset + headerBytes, end - 1), start: offset, end };
      offset = end;
      continue;
    }
    if (end === incomplete && !atEnd && bytes.length - offset < maxFrameBytes) return offset;
    const piece = damageAt(bytes, offset, atEnd);
    yield piece;
    offset = piece.end;
  }
  return offset;
}

const incomplete = 0;
const damaged = -1;

/** Where the record at `offset` ends, or `incomplete`, or `damaged`. */
function frameEnd(bytes: Buffer, offset: number): number {
  const header = bytes.toString('latin1', offset, offset + headerBytes);
  if (header.length < headerBytes) return incomplete;
  const [, length = '', checksum = ''] = /^([0-9a-f]{8}) ([0-9a-f]{8}) $/.exec(header) ?? [];
  const start = offset + headerBytes;
  const end = start + Number.parseInt(length, 16);
  if (!(end > start && end - start <= maxLineBytes)) return damaged;
  if (end >= bytes.length) return incomplete;
  // The newline itself is not checked: a record is whole without it, and a damaged one must not cost the record.
  return crc32(bytes.subarray(start, end)) === Number.parseInt(checksum, 16) ? end + 1 : damaged;
}

/** Looks for the next whole record by how its payload begins: the newline between the two may be lost as well. */
function damageAt(bytes: Buffer, start: number, atEnd: boolean): FramePiece {
  for (let found = bytes.indexOf('{"', start); found >= 0; found = bytes.indexOf('{"', found + 1)) {
    const next = found - headerBytes;
    if (next <= start) continue;
    const end = frameEnd(bytes, next);
    if (end > 0 || (end === incomplete && !atEnd)) return { kind: 'damage', start, end: next };
  }
  const rest = bytes.subarray(start);
  return { kind: atEnd && isTorn(rest) ? 'torn' : 'damage', start, end: bytes.length };
}

const headerShape = /^[0-9a-f]{0,8}$|^[0-9a-f]{8} [0-9a-f]{0,8}$|^[0-9a-f]{8} [0-9a-f]{8} $/;

/** A record cut short has no newline yet; a file system may also leave zeroes for what it had not written. */
function isTorn(rest: Buffer): boolean {
  if (rest.every((byte) => byte === 0)) return true;
  return !rest.includes(newline) && headerShape.test(rest.toString('latin1', 0, headerBytes));
}
