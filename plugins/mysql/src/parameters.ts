import type { PayloadReader } from './wire.js';

/** Types of values in the binary protocol (MySQL, "Binary Protocol Value"). */
const type = { tiny: 1, short: 2, long: 3, float: 4, double: 5, null: 6, timestamp: 7, longlong: 8, int24: 9, date: 10, time: 11, datetime: 12, year: 13 } as const; // prettier-ignore

const unsigned = 0x8000;

/** A parameter as an event shows it; `null` for NULL. */
export type Shown = string | null;

export interface Parameters {
  readonly values: readonly Shown[];
  /** The types as the statement has them from now on. */
  readonly types: readonly number[];
}

/**
 * The values of an execution, from behind its fixed part: which are NULL, their
 * types unless they are those of the execution before, and what they are. A
 * value that was sent ahead is shown as such. Throws `protocol_violation`.
 */
export function readParameters(
  reader: PayloadReader,
  count: number,
  { types: before, ahead }: { readonly types: readonly number[]; readonly ahead: ReadonlySet<number> },
): Parameters {
  if (count === 0) return { values: [], types: before };
  const nulls = reader.bytes(Math.ceil(count / 8));
  const fresh = reader.uint(1) === 1;
  const types = fresh ? Array.from({ length: count }, () => reader.uint(2)) : before;
  const values = Array.from({ length: count }, (_, index): Shown => {
    if (((nulls[index >> 3] ?? 0) >> (index & 7)) & 1) return null;
    if (ahead.has(index)) return '[sent ahead]';
    return readValue(reader, types[index] ?? 0xff);
  });
  return { values, types };
}

/** Bytes of whole numbers, by their type. */
const integers: ReadonlyMap<number, number> = new Map([
  [type.tiny, 1],
  [type.short, 2],
  [type.year, 2],
  [type.long, 4],
  [type.int24, 4],
  [type.longlong, 8],
]);

const moments: ReadonlySet<number> = new Set([type.date, type.datetime, type.timestamp]);

function readValue(reader: PayloadReader, coded: number): Shown {
  const kind = coded & 0xff;
  const bytes = integers.get(kind);
  if (bytes !== undefined) return integer(reader.bytes(bytes), (coded & unsigned) === 0);
  if (kind === type.null) return null;
  if (kind === type.float) return String(reader.bytes(4).readFloatLE(0));
  if (kind === type.double) return String(reader.bytes(8).readDoubleLE(0));
  if (moments.has(kind)) return moment(reader.bytes(reader.uint(1)));
  if (kind === type.time) return duration(reader.bytes(reader.uint(1)));
  return reader.bytes(reader.length() ?? 0).toString('utf8');
}

function integer(data: Buffer, signed: boolean): string {
  if (data.length === 8) return String(signed ? data.readBigInt64LE(0) : data.readBigUInt64LE(0));
  return String(signed ? data.readIntLE(0, data.length) : data.readUIntLE(0, data.length));
}

const digits = (value: number | undefined, width = 2): string => String(value ?? 0).padStart(width, '0');

/** Nothing, a date, a time of day, or one with microseconds: 0, 4, 7 or 11 bytes. */
function moment(data: Buffer): string {
  if (data.length < 4) return '0000-00-00';
  const date = `${digits(data.readUInt16LE(0), 4)}-${digits(data[2])}-${digits(data[3])}`;
  if (data.length < 7) return date;
  const time = `${date} ${digits(data[4])}:${digits(data[5])}:${digits(data[6])}`;
  return data.length < 11 ? time : `${time}.${digits(data.readUInt32LE(7), 6)}`;
}

/** A sign, days, and a time of day: 0, 8 or 12 bytes. */
function duration(data: Buffer): string {
  if (data.length < 8) return '00:00:00';
  const hours = data.readUInt32LE(1) * 24 + (data[5] ?? 0);
  const time = `${data[0] === 1 ? '-' : ''}${digits(hours)}:${digits(data[6])}:${digits(data[7])}`;
  return data.length < 12 ? time : `${time}.${digits(data.readUInt32LE(8), 6)}`;
}
