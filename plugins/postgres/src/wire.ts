/**
 * The messages of PostgreSQL's protocol 3 that the plugin writes and reads
 * itself. Pure. Layouts: PostgreSQL manual, "Message Formats".
 */

/** Longest startup packet that PostgreSQL takes (MAX_STARTUP_PACKET_LENGTH). */
export const maxStartupBytes = 10_000;

export const code = {
  ssl: 80_877_103,
  gss: 80_877_104,
  cancel: 80_877_102,
  version3: 3 << 16,
} as const;

export type Severity = 'ERROR' | 'FATAL';

/** What an ErrorResponse says; `S` is localized, so that the severity is read from `V`. */
export interface ErrorFields {
  readonly severity: string;
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** `Byte1 type, Int32 length of itself and the body, body`. */
export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(
    parts.reduce((sum, part) => sum + part.length, 4),
    1,
  );
  return Buffer.concat([head, ...parts]);
}

export function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
}

/** A zero-terminated string. Zero bytes within would end it early and are dropped. */
export const cstring = (text: string): Buffer => Buffer.from(`${text.replaceAll('\0', '')}\0`);

export const authenticationOk = message('R', int32(0));

/** `Int32 process id, Byte* secret`: what a client sends back to cancel. */
export const backendKeyData = (process: number, secret: Buffer): Buffer => message('K', int32(process), secret);

/** `Int32 newest version, Int32 count, String* options not recognised`. */
export const negotiateProtocolVersion = (minor: number, unrecognised: readonly string[]): Buffer =>
  message('v', int32(code.version3 + minor), int32(unrecognised.length), ...unrecognised.map(cstring));

/** Fields of `Byte1 kind, String value`, closed by a zero byte. */
export function errorResponse(fields: ErrorFields): Buffer {
  const field = (kind: string, value: string | undefined): Buffer =>
    value === undefined ? Buffer.alloc(0) : cstring(kind + value);
  return message(
    'E',
    field('S', fields.severity),
    field('V', fields.severity),
    field('C', fields.sqlstate),
    field('M', fields.message),
    field('D', fields.detail),
    field('H', fields.hint),
    Buffer.alloc(1),
  );
}

/** Reads a stretch of a message as text. */
export type ReadBytes = (body: Buffer, from: number, to: number) => string;

const utf8: ReadBytes = (body, from, to) => body.toString('utf8', from, to);

/** Reads the body of an ErrorResponse. Total: what a broken server leaves out is empty. */
export function readErrorFields(body: Buffer, read = utf8): ErrorFields {
  const found = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const end = body.indexOf(0, at);
    const stop = end < 0 ? body.length : end;
    found.set(body.toString('latin1', at, at + 1), read(body, at + 1, stop));
    at = stop + 1;
  }
  const sqlstate = found.get('C') ?? '';
  const detail = found.get('D');
  const hint = found.get('H');
  return {
    severity: found.get('V') ?? found.get('S') ?? 'ERROR',
    sqlstate: /^[0-9A-Z]{5}$/.test(sqlstate) ? sqlstate : 'XX000',
    message: found.get('M') ?? '',
    ...(detail !== undefined && { detail }),
    ...(hint !== undefined && { hint }),
  };
}

/** Reads the body of a ParameterStatus: `String name, String value`. */
export function readParameterStatus(body: Buffer): { readonly name: string; readonly value: string } {
  const [name = '', value = ''] = body.toString('utf8').split('\0');
  return { name, value };
}

/** `Int32 length, Int32 code, BackendKeyData's body`. */
export const cancelRequest = (key: Buffer): Buffer => Buffer.concat([int32(8 + key.length), int32(code.cancel), key]);
