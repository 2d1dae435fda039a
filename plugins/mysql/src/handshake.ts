import { capability, has } from './capabilities.js';
import { lengthEncoded, malformed, PayloadReader } from './wire.js';

/** What a server says first (MySQL, "Protocol::HandshakeV10"). */
export interface Greeting {
  readonly version: string;
  readonly connection: number;
  /** 20 bytes that a password is mixed with. */
  readonly nonce: Buffer;
  readonly capabilities: number;
  /** MariaDB's own flags; 0 of a MySQL server. */
  readonly mariadb: number;
  readonly charset: number;
  readonly status: number;
  /** The method of authentication that the server would begin with. */
  readonly method: string;
}

export function parseGreeting(payload: Buffer): Greeting {
  const reader = new PayloadReader(payload);
  if (reader.uint(1) !== 10) throw malformed();
  const version = reader.terminated().toString('latin1');
  const connection = reader.uint(4);
  const first = reader.bytes(8);
  reader.bytes(1);
  const lower = reader.uint(2);
  const charset = reader.uint(1);
  const status = reader.uint(2);
  const capabilities = (lower | (reader.uint(2) << 16)) >>> 0;
  const nonceLength = reader.uint(1);
  reader.bytes(6);
  // MariaDB clears the flag that MySQL calls CLIENT_MYSQL (once CLIENT_LONG_PASSWORD) to say that these are there.
  const extended = reader.uint(4);
  const second = reader.bytes(Math.min(Math.max(13, nonceLength - 8), reader.left));
  const method = has(capabilities, capability.pluginAuth) ? reader.loose().toString('latin1') : 'mysql_native_password';
  return {
    version,
    connection,
    nonce: Buffer.concat([first, second]).subarray(0, 20),
    capabilities,
    mariadb: has(capabilities, capability.longPassword) ? 0 : extended,
    charset,
    status,
    method,
  };
}

export function encodeGreeting(greeting: Greeting): Buffer {
  const { nonce, capabilities } = greeting;
  const fixed = Buffer.alloc(19);
  fixed.writeUInt16LE(capabilities & 0xffff, 0);
  fixed[2] = greeting.charset;
  fixed.writeUInt16LE(greeting.status, 3);
  fixed.writeUInt16LE(capabilities >>> 16, 5);
  fixed[7] = nonce.length + 1;
  fixed.writeUInt32LE(greeting.mariadb, 14);
  return Buffer.concat([
    Buffer.from([10]),
    Buffer.from(`${greeting.version}\0`, 'latin1'),
    uint32(greeting.connection),
    nonce.subarray(0, 8),
    Buffer.from([0]),
    fixed.subarray(0, 18),
    nonce.subarray(8),
    Buffer.from([0]),
    Buffer.from(`${greeting.method}\0`, 'latin1'),
  ]);
}

/** What a client answers (MySQL, "Protocol::HandshakeResponse41"). */
export interface HandshakeResponse {
  readonly capabilities: number;
  readonly mariadb: number;
  readonly maxPacket: number;
  readonly charset: number;
  readonly user: string;
  readonly proof: Buffer;
  readonly database: string | undefined;
  readonly method: string | undefined;
  /** Attributes of the connection with their length, as they came. */
  readonly attributes: Buffer;
}

/** True for the short form by which a client asks for TLS. */
export const isSslRequest = (payload: Buffer): boolean =>
  payload.length === 32 && has(payload.readUInt32LE(0), capability.ssl);

export function parseResponse(payload: Buffer): HandshakeResponse {
  const reader = new PayloadReader(payload);
  const capabilities = reader.uint(4);
  if (!has(capabilities, capability.protocol41)) throw malformed();
  const maxPacket = reader.uint(4);
  const charset = reader.uint(1);
  reader.bytes(19);
  const mariadb = reader.uint(4);
  const user = reader.terminated().toString('utf8');
  const proofLength = has(capabilities, capability.lengthEncodedAuth) ? reader.length() : reader.uint(1);
  const proof = reader.bytes(proofLength ?? 0);
  const named = has(capabilities, capability.connectWithDatabase) && reader.left > 0;
  const database = named ? reader.loose().toString('utf8') : '';
  const plugged = has(capabilities, capability.pluginAuth) && reader.left > 0;
  const method = plugged ? reader.loose().toString('latin1') : undefined;
  return {
    capabilities,
    mariadb,
    maxPacket,
    charset,
    user,
    proof,
    database: database === '' ? undefined : database,
    method,
    attributes: reader.bytes(reader.left),
  };
}

/** The beginning of a response, which is all of a request for TLS. */
export function encodeResponseHead(response: Omit<HandshakeResponse, 'user' | 'proof'>): Buffer {
  const head = Buffer.alloc(32);
  head.writeUInt32LE(response.capabilities, 0);
  head.writeUInt32LE(response.maxPacket, 4);
  head[8] = response.charset;
  head.writeUInt32LE(response.mariadb, 28);
  return head;
}

export function encodeResponse(response: HandshakeResponse): Buffer {
  const { capabilities, proof, database, method, attributes } = response;
  const proofLength = has(capabilities, capability.lengthEncodedAuth)
    ? lengthEncoded(proof.length)
    : Buffer.from([proof.length]);
  return Buffer.concat([
    encodeResponseHead(response),
    Buffer.from(`${response.user}\0`),
    proofLength,
    proof,
    ...(has(capabilities, capability.connectWithDatabase) ? [Buffer.from(`${database ?? ''}\0`)] : []),
    ...(has(capabilities, capability.pluginAuth) ? [Buffer.from(`${method ?? ''}\0`)] : []),
    ...(has(capabilities, capability.connectAttributes) ? [attributes.length > 0 ? attributes : Buffer.from([0])] : []),
  ]);
}

function uint32(value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value >>> 0);
  return data;
}
