import type { HeaderFields } from './header-fields.js';
import { isToken } from './header-fields.js';
import { HttpRefusal } from './http-refusal.js';
import { readHeadLines } from './head-lines.js';

/** A request's head (RFC 9112, section 3). */
export interface RequestHead {
  readonly method: string;
  /** In origin form, `/path?query`, or `*` of OPTIONS. As it was sent: nothing is decoded or normalised. */
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly fields: HeaderFields;
}

const maxMethod = 32;

/**
 * Reads a head that {@link HeadCollector} found. Refuses whatever two readers
 * could read in two ways: other versions, targets with an authority, more or
 * less than one Host, folded lines, control characters.
 */
export function readRequestHead(head: Buffer): RequestHead {
  const { start, fields } = readHeadLines(head);
  const [method = '', target = '', protocol = '', ...more] = start.split(' ');
  if (more.length > 0 || !isToken(method) || method.length > maxMethod)
    throw new HttpRefusal(400, 'the request line is not `METHOD target HTTP/1.1`');
  const version = versionOf(protocol);
  assureTarget(method, target);
  assureHost(version, fields);
  return { method, target, version, fields };
}

function versionOf(protocol: string): '1.0' | '1.1' {
  if (protocol === 'HTTP/1.1') return '1.1';
  if (protocol === 'HTTP/1.0') return '1.0';
  if (/^HTTP\/\d\.\d$/.test(protocol)) throw new HttpRefusal(505, 'only HTTP/1.1 is spoken here');
  throw new HttpRefusal(400, 'the request line is not `METHOD target HTTP/1.1`');
}

function assureTarget(method: string, target: string): void {
  if (target === '*' && method === 'OPTIONS') return;
  // `#` never stands in a request; who sends it hopes that somebody cuts there.
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(target)) throw new HttpRefusal(400, 'the target is not an absolute path');
}

function assureHost(version: '1.0' | '1.1', fields: HeaderFields): void {
  const hosts = fields.all('host');
  if (hosts.length > 1) throw new HttpRefusal(400, 'there is more than one Host');
  const [host] = hosts;
  if (host === undefined && version === '1.1') throw new HttpRefusal(400, 'there is no Host');
  if (host !== undefined && !/^(?:[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/.test(host))
    throw new HttpRefusal(400, 'the Host is not a name with a port');
}

/** The bytes of a head. The caller keeps method and target as they were read. */
export const encodeRequestHead = ({ method, target, version, fields }: RequestHead): Buffer =>
  Buffer.from(`${method} ${target} HTTP/${version}\r\n${fields.encode()}\r\n`, 'latin1');
