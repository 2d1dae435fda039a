import type { HeaderFields } from './header-fields.js';
import { HttpRefusal } from './http-refusal.js';
import type { RequestHead } from './request-head.js';
import type { ResponseHead } from './response-head.js';

/**
 * Where a body ends (RFC 9112, section 6). `close`: with the connection, for
 * responses alone. `switch`: another protocol follows (101).
 */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' }
  | { readonly kind: 'switch' };

/**
 * How a request's body is framed. Refuses what makes request smuggling: both
 * Content-Length and Transfer-Encoding, either of them twice or as a list,
 * codings other than `chunked`, chunks in HTTP/1.0, and either of them spelled
 * with `_`, which frames a body for some readers and none for others.
 */
export function requestFraming({ version, fields }: RequestHead): BodyFraming {
  return declaredFraming(version, fields) ?? { kind: 'none' };
}

/** How the body of the response to a request of this method is framed. */
export function responseFraming({ version, status, fields }: ResponseHead, method: string): BodyFraming {
  if (status === 101) {
    assureSpelling(fields);
    return { kind: 'switch' };
  }
  const declared = declaredFraming(version, fields);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  return declared ?? { kind: 'close' };
}

function declaredFraming(version: '1.0' | '1.1', fields: HeaderFields): BodyFraming | undefined {
  assureSpelling(fields);
  const codings = fields.all('transfer-encoding');
  const lengths = fields.all('content-length');
  if (codings.length > 0 && lengths.length > 0)
    throw new HttpRefusal(400, 'there are both Content-Length and Transfer-Encoding');
  if (codings.length > 1) throw new HttpRefusal(400, 'there is more than one Transfer-Encoding');
  if (lengths.length > 1) throw new HttpRefusal(400, 'there is more than one Content-Length');
  const [coding] = codings;
  if (coding !== undefined) return codedFraming(version, coding);
  const [length] = lengths;
  return length === undefined ? undefined : { kind: 'length', length: readLength(length) };
}

function assureSpelling(fields: HeaderFields): void {
  for (const { name } of fields)
    if (/^(?:content_length|transfer_encoding)$/i.test(name))
      throw new HttpRefusal(400, `${name} is not spelled with _`);
}

function codedFraming(version: '1.0' | '1.1', coding: string): BodyFraming {
  if (version === '1.0') throw new HttpRefusal(400, 'HTTP/1.0 has no Transfer-Encoding');
  if (coding.toLowerCase() !== 'chunked') throw new HttpRefusal(501, 'the only transfer coding is `chunked`');
  return { kind: 'chunked' };
}

function readLength(text: string): number {
  // No sign, no list, no space: and no more digits than a number holds exactly.
  if (!/^\d{1,15}$/.test(text)) throw new HttpRefusal(400, 'the Content-Length is not a number');
  return Number(text);
}
