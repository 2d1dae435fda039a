import type { Duplex } from 'node:stream';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import {
  encryptUpstream,
  FrameReader,
  PosternError,
  secretOf,
  upstreamTlsOptions,
  upstreamUnreachable,
  withinLogin,
  write,
  type Grant,
} from '@postern/plugin-sdk';
import type { Secret } from './authentication.js';
import { capability, has } from './capabilities.js';
import { encodeResponseHead, parseGreeting, type Greeting, type HandshakeResponse } from './handshake.js';
import { logIn, maxLoginBytes, readGreeting, type Welcome } from './login.js';
import type { Mysql, MysqlSpec } from './protocol.js';
import { encodePacket } from './wire.js';

const whom = 'the database';

/** A connection at which the user of the grant is logged in. */
export interface Upstream extends Welcome {
  readonly stream: Duplex;
  readonly greeting: Greeting;
  /** As they were agreed on with the server. */
  readonly capabilities: number;
  /** TLS version, or `none`. */
  readonly tlsVersion: string;
  /** True where the server has proved who it is. */
  readonly trusted: boolean;
}

export interface DialOptions {
  readonly grant: Grant<Mysql>;
  readonly spec: MysqlSpec;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called with the server's greeting, before anything is promised to it. */
  greeted(greeting: Greeting): void;
}

/**
 * Connects and logs in with the client's settings, of whose abilities `client` has those that it was offered. Rejects with `upstream_unreachable`, `upstream_auth`, or an UpstreamRefusal.
 */
export async function openUpstream(options: DialOptions, client: HandshakeResponse): Promise<Upstream> {
  const { grant, spec, timeoutMs, signal } = options;
  const password = await passwordFor(grant, spec.auth);
  const presents = spec.auth.method === 'certificate';
  const security = await upstreamTlsOptions(spec, grant.credentials, { name: grant.ask.user, presents });
  return withinLogin({ dial: () => grant.dial(), timeoutMs, signal, whom }, (socket) =>
    converse(socket, { options, client, password, security }),
  );
}

interface Conversation {
  readonly options: DialOptions;
  readonly client: HandshakeResponse;
  readonly password: string | undefined;
  readonly security: ConnectionOptions | undefined;
}

async function converse(socket: Duplex, { options, client, password, security }: Conversation): Promise<Upstream> {
  const { grant, spec } = options;
  const reader = new FrameReader(socket, maxLoginBytes);
  const greeting = parseGreeting((await readGreeting(reader)).payload);
  const early = reader.release().length > 0;
  options.greeted(greeting);
  // A server of MariaDB clears the flag by which it says that it has flags of its own.
  if ((client.capabilities & ~greeting.capabilities & ~capability.longPassword) !== 0)
    throw PosternError.public('unavailable', 'the database can do less than was promised to the client; connect again');
  const { user, database } = grant.ask;
  const capabilities = capabilitiesFor(client, database, security !== undefined);
  const response = { ...client, capabilities, mariadb: client.mariadb & greeting.mariadb, user, database };
  let stream = socket;
  if (security) {
    if (!has(greeting.capabilities, capability.ssl))
      throw upstreamUnreachable('the database has no TLS', 'the database does not support TLS');
    if (early) throw upstreamUnreachable('bytes follow the greeting', 'the database broke the protocol');
    await write(socket, encodePacket(1, encodeResponseHead({ ...response, method: undefined })));
    stream = await encryptUpstream(socket, security, whom);
  }
  const trusted = security !== undefined && spec.tls.mode !== 'require';
  const sequence = security ? 2 : 1;
  const welcome = await logIn(stream, { greeting, response, secret: { password, trusted }, sequence });
  const tlsVersion = (stream as Partial<TLSSocket>).getProtocol?.() ?? 'none';
  return { ...welcome, stream, greeting, capabilities, tlsVersion, trusted };
}

function capabilitiesFor(client: HandshakeResponse, database: string | undefined, encrypted: boolean): number {
  const always = capability.protocol41 | capability.secureConnection | capability.pluginAuth;
  const depends = (database === undefined ? 0 : capability.connectWithDatabase) | (encrypted ? capability.ssl : 0);
  return (client.capabilities | always | depends) >>> 0;
}

/** The password of a grant's user; `undefined` where there is none. */
async function passwordFor(grant: Grant<Mysql>, { method, secret }: MysqlSpec['auth']): Promise<string | undefined> {
  if (method !== 'password' || secret === undefined) return undefined;
  return secretOf(grant.credentials, secret, grant.ask.user);
}

/** What a method of authentication may use at this connection. */
export const secretFor = async (grant: Grant<Mysql>, spec: MysqlSpec, trusted: boolean): Promise<Secret> => ({
  password: await passwordFor(grant, spec.auth),
  trusted,
});
