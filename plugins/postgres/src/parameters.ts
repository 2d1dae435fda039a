import { beginningOf, type Parameter, type Parameters } from './client-messages.js';

export interface ParameterLimits {
  /** Most bytes of one value. */
  readonly each: number;
  /** Most bytes of all values together. */
  readonly total: number;
}

export const noLimits: ParameterLimits = { each: Infinity, total: Infinity };

/** The fields by which events and recordings show parameters. */
export interface ShownParameters {
  parameters?: (string | null)[] | undefined;
  binary?: number[] | undefined;
  parameterCount?: number | undefined;
}

/**
 * Adds parameters to an event, as far as the limits allow: text values as text,
 * binary ones as `\x` and hexadecimal digits. True where something is missing.
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
    shown.push(valueOf(body, value, room));
    if (value.binary && value.from !== undefined) (fields.binary ??= []).push(shown.length);
  }
  fields.parameters = shown;
  fields.parameterCount = count;
  return cut;
}

function valueOf(body: Buffer, { from, to, binary }: Parameter, limit: number): string | null {
  if (from === undefined) return null;
  return binary ? `\\x${body.toString('hex', from, Math.min(to, from + limit))}` : beginningOf(body, from, to, limit);
}
