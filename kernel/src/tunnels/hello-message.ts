import { Cursor } from './cursor.js';

/** What routing needs to know of a ClientHello. Nothing in it is trusted: it is a wish. */
export interface Hello {
  /** The server name, lower case and without a trailing dot; absent where the client sent none. */
  readonly sni?: string;
  /** The protocol names of the ALPN extension in the client's order, as Latin-1. */
  readonly alpn: readonly string[];
  /** The protocol versions on offer, such as 0x0304, without GREASE values. */
  readonly versions: readonly number[];
}

const extension = { serverName: 0, alpn: 16, supportedVersions: 43 } as const;

/**
 * Parses the body of a ClientHello (RFC 8446, section 4.1.2), without its four
 * bytes of handshake header. Throws a `RangeError` that says what is wrong.
 *
 *     version(2) random(32) session_id<0..32> cipher_suites<2..2^16-2>
 *     compression_methods<1..255> [ extensions<0..2^16-1> ]
 */
export function parseHello(body: Buffer): Hello {
  const hello = new Cursor(body);
  const legacyVersion = hello.u16();
  hello.take(32);
  if (hello.vector(1).left > 32) throw new RangeError('the session id is too long');
  const suites = hello.vector(2).left;
  if (suites === 0 || suites % 2 !== 0) throw new RangeError('the list of cipher suites is malformed');
  if (hello.vector(1).left === 0) throw new RangeError('the list of compression methods is empty');
  const extensions = hello.left === 0 ? new Map<number, Cursor>() : readExtensions(hello.vector(2));
  hello.end();

  const name = extensions.get(extension.serverName);
  const protocols = extensions.get(extension.alpn);
  const versions = extensions.get(extension.supportedVersions);
  return {
    ...(name && { sni: readServerName(name) }),
    alpn: protocols ? readProtocols(protocols) : [],
    versions: versions ? readVersions(versions) : [legacyVersion],
  };
}

/** Extensions by type. One type twice is an error, since two readers could each believe another one. */
function readExtensions(list: Cursor): Map<number, Cursor> {
  const extensions = new Map<number, Cursor>();
  while (list.left > 0) {
    const type = list.u16();
    if (extensions.has(type)) throw new RangeError('an extension occurs twice');
    extensions.set(type, list.vector(2));
  }
  return extensions;
}

/** RFC 6066, section 3: `list<2>{ type(1) name<2> }`. Exactly one entry of the only type that exists. */
function readServerName(data: Cursor): string {
  const list = data.vector(2);
  data.end();
  if (list.u8() !== 0) throw new RangeError('the server name is of an unknown type');
  const name = list.vector(2);
  list.end();
  const text = name.take(name.left).toString('latin1').toLowerCase().replace(/\.$/, '');
  if (text.length > 255 || !/^[\x21-\x7e]+$/.test(text)) throw new RangeError('the server name is malformed');
  return text;
}

/** RFC 7301, section 3.1: `list<2>{ name<1> }`. */
function readProtocols(data: Cursor): string[] {
  const list = data.vector(2);
  data.end();
  const names: string[] = [];
  while (list.left > 0) {
    const name = list.vector(1);
    if (name.left === 0) throw new RangeError('an application protocol has no name');
    names.push(name.take(name.left).toString('latin1'));
  }
  if (names.length === 0) throw new RangeError('the list of application protocols is empty');
  return names;
}

/** RFC 8446, section 4.2.1: `list<1>{ version(2) }`. */
function readVersions(data: Cursor): number[] {
  const list = data.vector(1);
  data.end();
  const versions: number[] = [];
  while (list.left > 0) versions.push(list.u16());
  if (versions.length === 0) throw new RangeError('the list of versions is empty');
  // RFC 8701: clients mix in reserved values so that servers stay tolerant of new ones.
  return versions.filter((version) => (version & 0x0f0f) !== 0x0a0a);
}
