/** Builds ClientHellos, well-formed unless told otherwise. */
export interface HelloParts {
  readonly sni?: string;
  readonly alpn?: readonly string[];
  readonly versions?: readonly number[];
  /** Further extensions as type and data. */
  readonly extra?: readonly (readonly [number, Buffer])[];
}

export const u16 = (value: number): Buffer => Buffer.from([(value >> 8) & 255, value & 255]);

export const vector = (width: 1 | 2, ...parts: readonly Buffer[]): Buffer => {
  const data = Buffer.concat(parts);
  return Buffer.concat([width === 1 ? Buffer.from([data.length]) : u16(data.length), data]);
};

export const sniExtension = (name: string): Buffer =>
  vector(2, Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name, 'latin1'))]));

export const alpnExtension = (names: readonly string[]): Buffer =>
  vector(2, ...names.map((name) => vector(1, Buffer.from(name, 'latin1'))));

export const extensions = (list: readonly (readonly [number, Buffer])[]): Buffer =>
  vector(2, ...list.map(([type, data]) => Buffer.concat([u16(type), vector(2, data)])));

/** The handshake message: header and body. */
export function helloMessage(parts: HelloParts = {}): Buffer {
  const list: (readonly [number, Buffer])[] = [...(parts.extra ?? [])];
  if (parts.sni !== undefined) list.push([0, sniExtension(parts.sni)]);
  if (parts.alpn) list.push([16, alpnExtension(parts.alpn)]);
  if (parts.versions) list.push([43, vector(1, ...parts.versions.map(u16))]);
  return handshake(helloBody(extensions(list)));
}

/** A hello's body in front of `rest`: version, random, no session id, one cipher suite, no compression. */
export const helloBody = (rest: Buffer): Buffer =>
  Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1),
    vector(2, u16(0x1301)),
    vector(1, Buffer.from([0])),
    rest,
  ]);

export function handshake(body: Buffer, type = 1): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt8(type, 0);
  header.writeUIntBE(body.length, 1, 3);
  return Buffer.concat([header, body]);
}

/** Cuts a message into records of at most `size` bytes. */
export function records(message: Buffer, size = 16_384): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    out.push(Buffer.from([22, 3, 1]), u16(fragment.length), fragment);
  }
  return Buffer.concat(out);
}
