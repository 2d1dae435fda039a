import { sensitivityOf, type EventType } from '@postern/plugin-sdk';
import type { z } from 'zod';

/** The canonical JSON of a value; `undefined` where only the schema itself can tell what becomes of it. */
type Encode = (value: unknown) => string | undefined;

interface Member {
  readonly name: string;
  /** `"name":` */
  readonly label: string;
  readonly encode: Encode;
  readonly optional: boolean;
}

/** What is read of a schema's definition: {@link https://zod.dev/library-authors}. */
interface Definition {
  readonly type: string;
  readonly format?: string;
  readonly coerce?: boolean;
  readonly checks?: readonly unknown[];
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly entries?: Readonly<Record<string, string | number>>;
}

const definitionOf = (schema: z.ZodType): Definition => schema.def;

/**
 * Checks an event's fields against their schema and writes them as canonical
 * JSON, both in one go and without copies: the way that events take of which
 * there are thousands a second. It knows plain texts, numbers and lists; events
 * with anything else, or that do not fit, take the long way, which knows all.
 */
export class FieldEncoder {
  private constructor(private readonly members: readonly Member[]) {}

  /** `undefined` for a type that has fields which this way does not know, or which may not be written. */
  static for(type: EventType): FieldEncoder | undefined {
    const members: Member[] = [];
    const shape = type.fields.shape as Readonly<Record<string, z.ZodType>>;
    if (definitionOf(type.fields).checks?.length) return undefined;
    for (const name of Object.keys(shape).sort()) {
      const schema = shape[name];
      if (!schema || sensitivityOf(schema) === 'secret') return undefined;
      const { type: kind, innerType } = definitionOf(schema);
      const optional = kind === 'optional' && innerType !== undefined;
      const encode = encoderOf(optional ? innerType : schema);
      if (!encode) return undefined;
      members.push({ name, label: `${JSON.stringify(name)}:`, encode, optional });
    }
    return new FieldEncoder(members);
  }

  /** The same text as that of the long way; `undefined` where the long way must be taken. */
  encode(fields: Readonly<Record<string, unknown>>): string | undefined {
    if (Object.getPrototypeOf(fields) !== Object.prototype) return undefined;
    let text = '{';
    let left = Object.keys(fields).length;
    for (const { name, label, encode, optional } of this.members) {
      const value = fields[name];
      if (value === undefined) {
        if (!optional) return undefined;
        if (left > 0 && Object.hasOwn(fields, name)) left -= 1;
        continue;
      }
      const member = encode(value);
      if (member === undefined) return undefined;
      text += text.length > 1 ? `,${label}${member}` : label + member;
      left -= 1;
    }
    // What is left nobody declared.
    return left === 0 ? `${text}}` : undefined;
  }
}

function encoderOf(schema: z.ZodType): Encode | undefined {
  const { type, format, coerce, checks, innerType, element, entries } = definitionOf(schema);
  if (coerce || checks?.length) return undefined;
  if (type === 'enum' && entries) return encodeChoice(Object.values(entries));
  if (type === 'nullable' && innerType) return nullable(encoderOf(innerType));
  if (type === 'array' && element) return list(encoderOf(element));
  return scalars[format === undefined ? type : `${type} ${format}`]?.();
}

const scalars: Readonly<Record<string, () => Encode>> = {
  string: remembering,
  number: () => (value) => (Number.isFinite(value) ? String(value) : undefined),
  'number safeint': () => (value) => (Number.isSafeInteger(value) ? String(value) : undefined),
  boolean: () => (value) => (typeof value === 'boolean' ? String(value) : undefined),
};

/** Programs run the same statement again and again: its text is escaped once. */
function remembering(): Encode {
  let last: unknown;
  let text: string | undefined;
  return (value) => {
    if (value === last) return text;
    last = value;
    return (text = typeof value === 'string' ? JSON.stringify(value) : undefined);
  };
}

function encodeChoice(choices: readonly (string | number)[]): Encode {
  const texts = new Map<unknown, string>(choices.map((choice) => [choice, JSON.stringify(choice)]));
  return (value) => texts.get(value);
}

const nullable = (encode: Encode | undefined): Encode | undefined =>
  encode && ((value) => (value === null ? 'null' : encode(value)));

function list(encode: Encode | undefined): Encode | undefined {
  if (!encode) return undefined;
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    let text = '[';
    for (const item of value as readonly unknown[]) {
      const encoded = encode(item);
      if (encoded === undefined) return undefined;
      text += text.length > 1 ? `,${encoded}` : encoded;
    }
    return `${text}]`;
  };
}
