import type { HeaderFields } from './header-fields.js';
import { HttpRefusal } from './http-refusal.js';
import { readHeadLines } from './head-lines.js';

/** A response's head (RFC 9112, section 4). */
export interface ResponseHead {
  readonly version: '1.0' | '1.1';
  readonly status: number;
  readonly reason: string;
  readonly fields: HeaderFields;
}

/** Reads a head that {@link HeadCollector} found. Throws {@link HttpRefusal}, whose status is then of no use. */
export function readResponseHead(head: Buffer): ResponseHead {
  const { start, fields } = readHeadLines(head);
  const found = /^HTTP\/(1\.[01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(start);
  if (!found) throw new HttpRefusal(400, 'the status line is not `HTTP/1.1 status reason`');
  return { version: found[1] as '1.0' | '1.1', status: Number(found[2]), reason: found[3] ?? '', fields };
}

export const encodeResponseHead = ({ version, status, reason, fields }: ResponseHead): Buffer =>
  Buffer.from(`HTTP/${version} ${status} ${reason}\r\n${fields.encode()}\r\n`, 'latin1');
