import type { Parameter, Parameters } from './client-messages.js';
import type { ClientText } from './client-text.js';

export interface ParameterLimits {
  /** Most bytes of one value. */
  readonly each: number;
  /** Most bytes of all values together. */
  readonly total: number;
  readonly reader: ClientText;
}

/** The fields by which events and recordings show parameters. */
export interface ShownParameters {
  parameters?: (string | null)[] | undefined;
  binary?: number[] | undefined;
  parameterCount?: number | undefined;
}

/**
 * Adds parameters to an event, as far as the limits allow: text values as text,
 * binary ones, and those that are no text in the client's encoding, as `\x` and
 * hexadecimal digits. True where something is missing.
 */
export function showParameters(
  fields: ShownParameters,
  body: Buffer,
  { values, count }: Parameters,
  limits: ParameterLimits,
): boolean {
  const shown: (string | null)[] = [];
  let left = limits.total;
  let cut = values.length < count;
  for (const value of values) {
    const size = value.from === undefined ? 0 : value.to - value.from;
    const room = Math.min(limits.each, left);
    if (left <= 0 && size > 0) {
      cut = true;
      break;
    }
    if (size > room) cut = true;
    left -= Math.min(size, room);
    const text = textOf(body, value, room, limits.reader);
    shown.push(text ?? digitsOf(body, value, room));
    if (text === undefined && value.from !== undefined) (fields.binary ??= []).push(shown.length);
  }
  fields.parameters = shown;
  fields.parameterCount = count;
  return cut;
}

/** The value, where it is text. */
function textOf(body: Buffer, { from, to, binary }: Parameter, limit: number, reader: ClientText): string | undefined {
  return from === undefined || binary ? undefined : reader.exactBeginning(body, from, to, limit);
}

const digitsOf = (body: Buffer, { from, to }: Parameter, limit: number): string | null =>
  from === undefined ? null : `\\x${body.toString('hex', from, Math.min(to, from + limit))}`;
