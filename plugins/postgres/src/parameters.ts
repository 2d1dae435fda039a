import { beginningOf, type BindMessage, type Parameter } from './client-messages.js';

export interface ParameterLimits {
  /** Most bytes of one value. */
  readonly each: number;
  /** Most bytes of all values together. */
  readonly total: number;
}

export const noLimits: ParameterLimits = { each: Infinity, total: Infinity };

/** The fields by which events and recordings show parameters. */
export interface ShownParameters {
  readonly parameters: (string | null)[];
  readonly binary?: number[];
  readonly parameterCount: number;
}

/** Text values as text, binary ones as `\x` and hexadecimal digits, as far as the limits allow. */
export function showParameters(
  body: Buffer,
  { parameters, count }: Pick<BindMessage, 'parameters' | 'count'>,
  limits: ParameterLimits,
): { readonly fields: ShownParameters; readonly cut: boolean } {
  const shown: (string | null)[] = [];
  const binary: number[] = [];
  let left = limits.total;
  let cut = parameters.length < count;
  for (const parameter of parameters) {
    const size = parameter.from === undefined ? 0 : parameter.to - parameter.from;
    const room = Math.min(limits.each, left);
    if (left <= 0 && size > 0) {
      cut = true;
      break;
    }
    if (size > room) cut = true;
    left -= Math.min(size, room);
    shown.push(valueOf(body, parameter, room));
    if (parameter.binary && parameter.from !== undefined) binary.push(shown.length);
  }
  return { fields: { parameters: shown, ...(binary.length > 0 && { binary }), parameterCount: count }, cut };
}

function valueOf(body: Buffer, { from, to, binary }: Parameter, limit: number): string | null {
  if (from === undefined) return null;
  return binary ? `\\x${body.toString('hex', from, Math.min(to, from + limit))}` : beginningOf(body, from, to, limit);
}
