import { PosternError } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { DerReader, derElement, derTag } from './der.js';
import { refused } from './refusal.js';

/**
 * The arc below which the project's X.509 extensions are numbered. It is made
 * of the UUID 2b5b2fcc-3a14-4378-a00a-912c6f9b6a1a, by the rule that the arc's
 * owner publishes for everybody: five groups of four hexadecimal digits and
 * two of six, each written in decimal. The usual arc for UUIDs, 2.25, has one
 * number of 128 bits, which many encoders silently cut off.
 */
export const extensionArc = '1.2.840.113556.1.8000.2554.11099.12236.14868.17272.40970.9514095.10185242';

/** No extension is larger than this, in bytes of JSON: it travels in every handshake. */
export const maximumExtensionLength = 16_384;

/**
 * Writes a document as JSON in the schema's order of keys. Rejects with
 * `invalid_argument` what the schema refuses and what is too long to travel.
 */
export function encodeDocument<T>(what: string, schema: z.ZodType<T>, document: T): string {
  const result = schema.safeParse(document);
  if (!result.success) {
    const issue = result.error.issues[0];
    const message = `${what}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
    throw PosternError.public('invalid_argument', message);
  }
  const text = JSON.stringify(result.data);
  if (Buffer.byteLength(text) > maximumExtensionLength)
    throw PosternError.public('invalid_argument', `${what}: larger than ${maximumExtensionLength} bytes`);
  return text;
}

/** Reads what {@link encodeDocument} wrote. Rejects with `unauthenticated`. */
export function decodeDocument<T>(what: string, schema: z.ZodType<T>, text: string): T {
  if (Buffer.byteLength(text) > maximumExtensionLength) throw refused(`${what} is too large`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refused(`${what} is not JSON`);
  }
  const result = schema.safeParse(json);
  if (!result.success)
    throw refused(`${what} is malformed at ${JSON.stringify(result.error.issues[0]?.path.join('.'))}`);
  return result.data;
}

/** The value of an X.509 extension: one UTF8String. */
export const wrapExtension = (text: string): Buffer => derElement(derTag.utf8String, Buffer.from(text));

/** The text in the value of an X.509 extension. Rejects with `unauthenticated`. */
export function unwrapExtension(what: string, value: Buffer): string {
  try {
    const reader = new DerReader(value);
    const contents = reader.read(derTag.utf8String);
    reader.end();
    return new TextDecoder('utf-8', { fatal: true }).decode(contents);
  } catch {
    throw refused(`${what} is not a UTF8String`);
  }
}
