import { HeaderFields, isFieldValue, isToken, type HeaderField } from './header-fields.js';
import { HttpRefusal } from './http-refusal.js';

const maxFields = 256;

/** The start line and the fields of a head that ends in an empty line. Throws {@link HttpRefusal}. */
export function readHeadLines(head: Buffer): { readonly start: string; readonly fields: HeaderFields } {
  const text = head.toString('latin1');
  if (!text.endsWith('\r\n\r\n')) throw new HttpRefusal(400, 'the head does not end in an empty line');
  const [start = '', ...lines] = text.slice(0, -4).split('\r\n');
  if (lines.length > maxFields) throw new HttpRefusal(431, `a head has at most ${maxFields} fields`);
  return { start, fields: new HeaderFields(lines.map(readField)) };
}

function readField(line: string): HeaderField {
  // A folded line continues the one before it (obs-fold); not everybody reads it so.
  if (line.startsWith(' ') || line.startsWith('\t')) throw new HttpRefusal(400, 'a field of the head is folded');
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  if (!isToken(name)) throw new HttpRefusal(400, 'a field of the head has no proper name');
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  // Bare CR and LF, NUL and their like: what one reader skips, another takes for the end of a line.
  if (!isFieldValue(value)) throw new HttpRefusal(400, 'a field of the head holds control characters');
  return { name, value };
}
