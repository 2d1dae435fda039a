import { PosternError } from '@postern/plugin-sdk';
import { hashLength } from './merkle.js';

/** How many hashes a full tile, and how many entries a full bundle, holds (C2SP tlog-tiles). */
export const tileWidth = 256;

/** One resource of the layout: a tile of hashes at a level, or (`entries`) a bundle of entries. */
export interface TileName {
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 255 for a partial tile, 256 for a full one. */
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]`, with N as `x001/x234/067`: C2SP tlog-tiles, "Merkle Tree". */
export function tilePath({ level, index, width }: TileName): string {
  let rest = Math.floor(index / 1000);
  let path = String(index % 1000).padStart(3, '0');
  for (; rest > 0; rest = Math.floor(rest / 1000)) path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  return `tile/${level}/${path}${width === tileWidth ? '' : `.p/${width}`}`;
}

const pattern = /^tile\/(entries|[0-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** The opposite of {@link tilePath}; `undefined` for a path that no log may have. */
export function parseTilePath(path: string): TileName | undefined {
  const [, level, digits, width] = pattern.exec(path) ?? [];
  if (level === undefined || digits === undefined) return undefined;
  const name: TileName = {
    level: level === 'entries' ? level : Number(level),
    index: Number(digits.replaceAll(/[x/]/g, '')),
    width: width === undefined ? tileWidth : Number(width),
  };
  // Leading groups of zeroes and a "partial" width of 256 parse, but name nothing.
  return tilePath(name) === path ? name : undefined;
}

/** The longest entry that a bundle can hold, in bytes: its length is an uint16. */
export const maxEntryBytes = 0xffff;

/** The most bytes that a tile of hashes, and that a bundle of entries, can have. */
export const maxTileBytes = tileWidth * hashLength;
export const maxBundleBytes = tileWidth * (2 + maxEntryBytes);

/** An entry as it stands in a bundle: big-endian uint16 length, then the bytes. */
export function bundledEntry(entry: Buffer): Buffer {
  if (entry.length > maxEntryBytes)
    throw new PosternError('limit_exceeded', `an entry of ${entry.length} bytes does not fit a bundle`);
  const framed = Buffer.allocUnsafe(2 + entry.length);
  framed.writeUInt16BE(entry.length, 0);
  entry.copy(framed, 2);
  return framed;
}

/** The entries of a bundle, as views of it. Rejects with `protocol_violation` where a length points past the end. */
export function bundleEntries(bundle: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let offset = 0; offset < bundle.length;) {
    const length = offset + 2 <= bundle.length ? bundle.readUInt16BE(offset) : Infinity;
    const end = offset + 2 + length;
    if (end > bundle.length)
      throw new PosternError('protocol_violation', `the bundle ends inside an entry at ${offset}`);
    if (entries.length === tileWidth) throw new PosternError('protocol_violation', 'the bundle holds too many entries');
    entries.push(bundle.subarray(offset + 2, end));
    offset = end;
  }
  return entries;
}
