import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { FrameReader, PosternError, write, type Grant } from '@postern/plugin-sdk';
import type { Secret } from './authentication.js';
import { capability, has } from './capabilities.js';
import { encodeResponseHead, parseGreeting, type Greeting, type HandshakeResponse } from './handshake.js';
import { logIn, maxLoginBytes, readGreeting, type Welcome } from './login.js';
import type { Mysql, MysqlSpec } from './protocol.js';
import { encodePacket } from './wire.js';

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
  const security = spec.tls.mode === 'disable' ? undefined : await tlsOptions(grant, spec);
  const socket = await grant.dial();
  let late = false;
  const stop = (): void => void socket.destroy();
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, timeoutMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await converse(socket, { options, client, password, security });
  } catch (cause) {
    stop();
    if (late) throw unreachable(`no login within ${timeoutMs} ms`, 'the database did not answer in time', cause);
    const { code, message } = PosternError.from(cause);
    if (code === 'protocol_violation' || code === 'aborted' || code === 'limit_exceeded')
      throw unreachable(`the login broke off: ${message}`, 'the database broke off the login', cause);
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

interface Conversation {
  readonly options: DialOptions;
  readonly client: HandshakeResponse;
  readonly password: string | undefined;
  readonly security: tls.ConnectionOptions | undefined;
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
      throw unreachable('the database has no TLS', 'the database does not support TLS');
    if (early) throw unreachable('bytes follow the greeting', 'the database broke the protocol');
    await write(socket, encodePacket(1, encodeResponseHead({ ...response, method: undefined })));
    stream = await encrypt(socket, security);
  }
  const trusted = security !== undefined && spec.tls.mode !== 'require';
  const sequence = security ? 2 : 1;
  const welcome = await logIn(stream, { greeting, response, secret: { password, trusted }, sequence });
  const tlsVersion = (stream as Partial<tls.TLSSocket>).getProtocol?.() ?? 'none';
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
  const { user } = grant.ask;
  const name = typeof secret === 'string' ? secret : Object.hasOwn(secret, user) ? secret[user] : undefined;
  if (name === undefined) throw PosternError.public('upstream_auth', `the resource names no secret for ${user}`);
  return grant.credentials.secret(name);
}

/** What a method of authentication may use at this connection. */
export const secretFor = async (grant: Grant<Mysql>, spec: MysqlSpec, trusted: boolean): Promise<Secret> => ({
  password: await passwordFor(grant, spec.auth),
  trusted,
});

async function tlsOptions(grant: Grant<Mysql>, { host, tls: wanted, auth }: MysqlSpec): Promise<tls.ConnectionOptions> {
  const presents = auth.method === 'certificate';
  const needsAuthority = wanted.mode.startsWith('verify') && wanted.ca === undefined;
  const credential = presents || needsAuthority ? await grant.credentials.tls(grant.ask.user) : undefined;
  return {
    ...verification(wanted.mode, wanted.server_name ?? host),
    ...trustedBy(needsAuthority ? credential?.authority : wanted.ca),
    ...(presents && { cert: credential?.certificate, key: credential?.key }),
  };
}

/** Whom to trust: the given authority, or those of the system. */
const trustedBy = (ca: string | undefined): tls.ConnectionOptions =>
  ca === undefined || ca === 'system' ? {} : { ca };

/** How to verify the server's certificate, which bears `name`. */
function verification(mode: MysqlSpec['tls']['mode'], name: string): tls.ConnectionOptions {
  return {
    host: name,
    // An address cannot be sent as a server name.
    ...(net.isIP(name) === 0 && { servername: name }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: mode !== 'require',
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

/** Rejects with `upstream_unreachable` where the server has not the certificate that it should have. */
async function encrypt(socket: Duplex, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const secure = tls.connect({ ...options, socket });
  await new Promise<void>((resolve, reject) => {
    const failed = (cause?: Error): void =>
      reject(
        unreachable(
          `tls to the database failed: ${cause?.message ?? 'the connection was closed'}`,
          'the database could not be reached securely: its TLS or its certificate is not as expected',
          cause,
        ),
      );
    secure
      .on('error', () => {})
      .once('secureConnect', resolve)
      .once('error', failed)
      .once('close', () => failed());
  });
  return secure;
}

const unreachable = (message: string, publicMessage: string, cause?: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage, cause });
