import { PosternError } from '@postern/plugin-sdk';

/**
 * Reads the messages by which clients have statements run. Pure, and strict
 * where the server is: `protocol_violation` says that it would not have
 * understood the message either. `complete` is false where only the beginning
 * of a message is at hand; what is missing then is left out.
 */

export interface ParseMessage {
  readonly name: string;
  /** Where the text begins and ends in the body. */
  readonly from: number;
  readonly to: number;
}

/** The parameters that a message carries: how many there are, and those that are at hand. */
export interface Parameters {
  readonly count: number;
  readonly values: readonly Parameter[];
}

export interface BindMessage {
  readonly portal: string;
  readonly statement: string;
  readonly parameters: Parameters;
}

/** Where a parameter's value lies in the body; undefined bounds are those of SQL's null. */
export interface Parameter {
  readonly binary: boolean;
  readonly from: number | undefined;
  readonly to: number;
}

const malformed = (what: string): PosternError =>
  PosternError.public('protocol_violation', `invalid message format: ${what}`);

/** PostgreSQL looks names up by their first 63 bytes: names that agree so far are one name. */
const nameBytes = 63;

const nameKey = (body: Buffer, from: number, to: number): string =>
  from === to ? '' : body.toString('latin1', from, Math.min(to, from + nameBytes));

function endOfString(body: Buffer, from: number, complete: boolean): number {
  const end = body.indexOf(0, from);
  if (end >= 0) return end;
  if (complete) throw malformed('a string does not end');
  return body.length;
}

/** `String name, String text, Int16 count, Int32* types`. */
export function readParse(body: Buffer, complete: boolean): ParseMessage {
  const end = endOfString(body, 0, complete);
  const from = Math.min(end + 1, body.length);
  return { name: nameKey(body, 0, end), from, to: endOfString(body, from, complete) };
}

/** `String portal, Int32 most rows`. */
export function readExecute(body: Buffer): { readonly portal: string; readonly maxRows: number } {
  const end = endOfString(body, 0, true);
  if (body.length !== end + 5) throw malformed('an Execute of the wrong length');
  return { portal: nameKey(body, 0, end), maxRows: body.readInt32BE(end + 1) };
}

/** `Byte1 'S' or 'P', String name`. */
export function readClose(body: Buffer): { readonly what: 'statement' | 'portal'; readonly name: string } {
  const end = endOfString(body, 1, true);
  if (body[0] === 0x53) return { what: 'statement', name: nameKey(body, 1, end) };
  if (body[0] === 0x50) return { what: 'portal', name: nameKey(body, 1, end) };
  throw malformed('a Close of something else than a statement or a portal');
}

/** `String portal, String statement, parameters, Int16 count, Int16* result formats`. */
export function readBind(body: Buffer, complete: boolean): BindMessage {
  const endOfPortal = endOfString(body, 0, complete);
  const from = Math.min(endOfPortal + 1, body.length);
  const end = endOfString(body, from, complete);
  return {
    portal: nameKey(body, 0, endOfPortal),
    statement: nameKey(body, from, end),
    parameters: readParameters(body, Math.min(end + 1, body.length), complete),
  };
}

/** `Int32 function, parameters, Int16 result format`. */
export function readFunctionCall(body: Buffer, complete: boolean): { function: number; parameters: Parameters } {
  if (body.length < 4) throw malformed('a FunctionCall without a function');
  return { function: body.readUInt32BE(0), parameters: readParameters(body, 4, complete) };
}

const noParameters: Parameters = { count: 0, values: [] };

/** True where the body ends before `needed` bytes. */
function lacks(body: Buffer, needed: number, complete: boolean): boolean {
  if (needed <= body.length) return false;
  if (complete) throw malformed('insufficient data left in message');
  return true;
}

/** `Int16 count, Int16* formats, Int16 count, (Int32 length, value)*`; a length of -1 is null. */
function readParameters(body: Buffer, from: number, complete: boolean): Parameters {
  if (lacks(body, from + 2, complete)) return noParameters;
  const formats = body.readUInt16BE(from);
  let at = from + 2 + 2 * formats;
  if (lacks(body, at + 2, complete)) return noParameters;
  const count = body.readUInt16BE(at);
  if (count === 0) return noParameters;
  at += 2;
  const values: Parameter[] = [];
  while (values.length < count && !lacks(body, at + 4, complete)) {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < -1) throw malformed(`a parameter of ${length} bytes`);
    // One format is that of all parameters, none is text.
    const format = formats > 1 ? values.length : 0;
    const binary = format < formats && body.readUInt16BE(from + 2 + 2 * format) === 1;
    const size = Math.max(length, 0);
    if (lacks(body, at + size, complete)) break;
    values.push({ binary, from: length < 0 ? undefined : at, to: at + size });
    at += size;
  }
  return { count, values };
}
