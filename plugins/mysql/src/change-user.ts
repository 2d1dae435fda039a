import { Duplex, PassThrough } from 'node:stream';
import { write, type Grant } from '@postern/plugin-sdk';
import { authenticate } from './authentication.js';
import { capability, has } from './capabilities.js';
import { finishLogin } from './login.js';
import type { Mysql, MysqlAsk, MysqlSpec } from './protocol.js';
import type { Upstream } from './upstream.js';
import { secretFor } from './upstream.js';
import { encodePacket, PayloadReader } from './wire.js';

export interface ChangeUserRequest {
  readonly ask: MysqlAsk;
  /** What follows the schema: the character set, a method, attributes. */
  readonly rest: Buffer;
  readonly charset: Buffer;
}

/** COM_CHANGE_USER (MySQL): user, proof, schema, character set, method, attributes. */
export function parseChangeUser(payload: Buffer, capabilities: number): ChangeUserRequest {
  const reader = new PayloadReader(payload);
  reader.bytes(1);
  const user = reader.terminated().toString('utf8');
  reader.bytes(has(capabilities, capability.secureConnection) ? reader.uint(1) : 0);
  const database = reader.loose().toString('utf8');
  const charset = reader.left >= 2 ? reader.bytes(2) : Buffer.from([45, 0]);
  const method = reader.left > 0 ? reader.loose() : Buffer.alloc(0);
  void method;
  const ask = { user, replication: false, ...(database !== '' && { database }) };
  return { ask, charset, rest: reader.bytes(reader.left) };
}

/**
 * Becomes another user at the database. `replies` yields what the server says
 * meanwhile, which the client does not see. Rejects as a login does; the
 * session cannot go on then, since servers end it.
 */
export async function changeUser(
  { grant, spec, upstream, replies }: ChangeUserOptions,
  { charset, rest }: ChangeUserRequest,
): Promise<Buffer> {
  const secret = await secretFor(grant, spec, upstream.trusted);
  const { method, nonce } = upstream.greeting;
  const exchange = authenticate(method, secret);
  const proof = exchange(nonce) ?? Buffer.alloc(0);
  const { user, database = '' } = grant.ask;
  const attributes = has(upstream.capabilities, capability.connectAttributes) ? rest : Buffer.alloc(0);
  const payload = Buffer.concat([
    Buffer.from([0x11]),
    Buffer.from(`${user}\0`),
    Buffer.from([proof.length]),
    proof,
    Buffer.from(`${database}\0`),
    charset,
    Buffer.from(`${method}\0`),
    attributes,
  ]);
  const stream = Duplex.from({ readable: replies, writable: passingOn(upstream.stream) });
  stream.on('error', () => {});
  await write(stream, encodePacket(0, payload));
  return (await finishLogin(stream, { method, exchange }, secret)).ok;
}

export interface ChangeUserOptions {
  /** For the new user. */
  readonly grant: Grant<Mysql>;
  readonly spec: MysqlSpec;
  readonly upstream: Upstream;
  readonly replies: PassThrough;
}

function passingOn(to: Duplex): PassThrough {
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => to.write(chunk));
  return stream;
}
