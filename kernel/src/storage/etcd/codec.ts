import { PosternError } from '@postern/plugin-sdk';
import type { Entry, Put } from '../store.js';

/** A key with its value as the gateway has it: bytes in base 64, numbers as text, and nothing where it is zero. */
export interface KeyValue {
  readonly key: string;
  readonly mod_revision?: string;
  readonly value?: string;
  readonly lease?: string;
}

/** The earliest time that there is, in milliseconds, so that all are positive. */
const epoch = 8_640_000_000_000_000n;
const width = 14;
const never = 'f'.repeat(width);

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** When an entry ends, in digits that are in the order of time. */
const endText = (time: number): string => (BigInt(time) + epoch).toString(16).padStart(width, '0');

/** Every value begins with its end and a dot, so that etcd can compare it with a time: see {@link later}. */
export const encodeValue = ({ value, expires }: Put): string =>
  base64(`${expires ? endText(expires.getTime()) : never}.${value}`);

/** Of two values, the one is greater than this text exactly when it ends after the time: what follows is a dot. */
export const later = (time: number): string => base64(`${endText(time)}/`);

/** Reads what {@link encodeValue} wrote. Throws `internal` for anything else. */
function decodeValue(key: string, text: string): { readonly value: string; readonly expires?: Date } {
  const stored = Buffer.from(text, 'base64').toString();
  const [, end] = /^([0-9a-f]{14})\./.exec(stored) ?? [];
  if (end === undefined)
    throw new PosternError('internal', `the value of ${JSON.stringify(key)} is not one that postern wrote`);
  const value = stored.slice(width + 1);
  return end === never ? { value } : { value, expires: new Date(Number(BigInt(`0x${end}`) - epoch)) };
}

/** Keys below a prefix of etcd. */
export class KeySpace {
  constructor(private readonly prefix: string) {}

  key(key: string): string {
    return base64(this.prefix + key);
  }

  /** The range of everything that begins with `prefix`, and comes after `after`. */
  range(prefix: string, after = ''): { readonly key: string; readonly range_end: string } {
    const start = Buffer.from(this.prefix + prefix);
    const behind = Buffer.from(`${this.prefix}${after}\0`);
    const from = after !== '' && Buffer.compare(behind, start) > 0 ? behind : start;
    const end = Buffer.from(start);
    const last = end.length - 1;
    // No UTF-8 ends with 0xff, so that there is always a next byte.
    end[last] = (end[last] ?? 0) + 1;
    return { key: from.toString('base64'), range_end: end.toString('base64') };
  }

  name(key: string): string {
    return Buffer.from(key, 'base64').toString().slice(this.prefix.length);
  }

  entry({ key, value = '', mod_revision }: KeyValue): Entry {
    const name = this.name(key);
    return { key: name, revision: Number(mod_revision), ...decodeValue(name, value) };
  }
}
