import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { FrameReader, PosternError, write } from '@postern/plugin-sdk';
import { serialize } from 'pg-protocol';
import type { PostgresSpec } from './protocol.js';
import { Scram, type ChannelBinding } from './scram.js';
import { UpstreamRefusal, withoutSecret } from './upstream-refusal.js';
import { message, readErrorFields, readParameterStatus } from './wire.js';

const maxMessage = 65_536;
/** Everything between the startup message and the first ReadyForQuery. */
const maxMessages = 1000;
const maxBytes = 262_144;

export interface LoginOptions {
  /** The StartupMessage. */
  readonly startup: Buffer;
  readonly user: string;
  readonly auth: PostgresSpec['auth'];
  readonly password: string | undefined;
  /** The `tls-server-end-point` binding of the connection, where it has one. */
  readonly binding: Buffer | undefined;
  /** True where the connection is encrypted. */
  readonly encrypted: boolean;
  /**
   * How often the server shall look, while it runs a statement, whether we are
   * still there; undefined leaves it to the server, which by itself never looks.
   */
  readonly checkIntervalMs?: number | undefined;
}

/** What a server says once it has let somebody in. */
export interface Welcome {
  /** How it was convinced. */
  readonly method: string;
  /** What the client shall hear: settings and notices, as the server sent them. */
  readonly messages: Buffer;
  /** The body of BackendKeyData, without which nothing can be cancelled. */
  readonly key: Buffer | undefined;
  /** ReadyForQuery, and what came after it. */
  readonly ready: Buffer;
  readonly rest: Buffer;
  readonly serverVersion: string | undefined;
  /** What the server calls the encoding in which the client speaks. */
  readonly clientEncoding: string | undefined;
}

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

const violation = (what: string): PosternError =>
  new PosternError('upstream_unreachable', `the database broke the protocol: ${what}`, {
    publicMessage: 'the database broke the protocol',
  });

const refused = (why: string): PosternError => PosternError.public('upstream_auth', why);

/**
 * Logs in at a server. Rejects with an {@link UpstreamRefusal} in its words,
 * with `upstream_auth` where it asks for less than it may, and with
 * `upstream_unreachable` where it speaks something else.
 */
export async function logIn(stream: Duplex, options: LoginOptions): Promise<Welcome> {
  const reader = new FrameReader(stream, maxMessage);
  try {
    await write(stream, options.startup);
    return await new Login(stream, reader, options).run();
  } catch (cause) {
    reader.release();
    throw cause;
  }
}

class Login {
  #scram: Scram | undefined;
  #mechanism = '';
  /** How the server was convinced so far; a SCRAM exchange counts once the server has proved itself. */
  #proof: string | undefined;
  #asked = false;
  #settingCheck = false;
  #count = 0;
  #bytes = 0;
  readonly #notices: Buffer[] = [];

  constructor(
    private readonly stream: Duplex,
    private readonly reader: FrameReader,
    private readonly options: LoginOptions,
  ) {}

  async run(): Promise<Welcome> {
    for (;;) {
      const { type, body } = await this.#next();
      if (type !== 'R' || body.length < 4) throw violation(`${type} during the login`);
      const request = body.readUInt32BE(0);
      if (request === 0) break;
      await this.#authenticate(request, body.subarray(4));
    }
    return this.#welcome(this.#convinced());
  }

  /** Reads a message other than a notice. */
  async #next(): Promise<Message> {
    for (;;) {
      const head = await this.reader.bytes(5);
      const type = String.fromCharCode(head[0] ?? 0);
      const length = head.readUInt32BE(1);
      this.#count += 1;
      this.#bytes += length;
      if (length < 4 || this.#count > maxMessages || this.#bytes > maxBytes) throw violation('a login without an end');
      const body = Buffer.from(await this.reader.bytes(length - 4));
      if (type === 'E' && !this.#settingCheck)
        throw new UpstreamRefusal(withoutSecret(readErrorFields(body), this.options.password));
      if (type !== 'N') return { type, body };
      this.#notices.push(Buffer.concat([head, body]));
    }
  }

  async #authenticate(request: number, data: Buffer): Promise<void> {
    if (request === 11 || request === 12) return this.#continueScram(request, data);
    if (this.#asked) throw violation('it asks for a second proof');
    this.#asked = true;
    switch (request) {
      case 3:
        return this.#send(serialize.password(this.#password('cleartext')));
      case 5:
        return this.#send(serialize.password(md5(this.#password('md5'), this.options.user, data)));
      case 10:
        return this.#beginScram(data);
      default:
        throw refused(`the database asks for an authentication that is not supported (${request})`);
    }
  }

  /** The password, if the server may have it that way. */
  #password(kind: PostgresSpec['auth']['accept'][number]): string {
    const { auth, password, encrypted } = this.options;
    if (password === undefined)
      throw refused(
        auth.method === 'certificate'
          ? 'the database asks for a password instead of accepting the certificate'
          : 'the database asks for a password, and the resource names no secret',
      );
    if (!auth.accept.includes(kind))
      throw refused(`the database asks for the password as ${kind}, which the resource does not accept`);
    if (kind === 'cleartext' && !encrypted) throw refused('the password is not sent over a connection in clear');
    this.#proof = kind;
    return password;
  }

  async #beginScram(data: Buffer): Promise<void> {
    const offered = data.toString('latin1').split('\0');
    const plus = offered.includes('SCRAM-SHA-256-PLUS');
    if (!plus && !offered.includes('SCRAM-SHA-256'))
      throw refused('the database offers no authentication that is supported');
    const password = this.#password('scram-sha-256');
    const binding = this.#binding(plus);
    const bound = binding.kind === 'tls-server-end-point';
    this.#proof = undefined;
    this.#scram = new Scram(password, binding);
    this.#mechanism = bound ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256';
    await this.#send(serialize.sendSASLInitialResponseMessage(this.#mechanism, this.#scram.first()));
  }

  #binding(offered: boolean): ChannelBinding {
    const { binding } = this.options;
    if (!binding) return { kind: 'unsupported' };
    return offered ? { kind: 'tls-server-end-point', data: binding } : { kind: 'not-offered' };
  }

  async #continueScram(request: number, data: Buffer): Promise<void> {
    if (!this.#scram) throw violation('it continues an exchange that never began');
    const text = data.toString('utf8');
    if (request === 11) return this.#send(serialize.sendSCRAMClientFinalMessage(await this.#scram.final(text)));
    this.#scram.verify(text);
    this.#proof = this.#mechanism.toLowerCase();
  }

  /** Whether the server may let us in now. One that skips the exchange has not proved that it is the right one. */
  #convinced(): string {
    const { method } = this.options.auth;
    if (this.#scram && this.#proof === undefined)
      throw refused('the database did not prove that it knows the password');
    if (this.#proof !== undefined) return this.#proof;
    if (method === 'password') throw refused('the database asks for no password: it may not be the right one');
    return method;
  }

  async #welcome(method: string): Promise<Welcome> {
    const messages: Buffer[] = [];
    let key: Buffer | undefined;
    let serverVersion: string | undefined;
    let clientEncoding: string | undefined;
    for (;;) {
      const { type, body } = await this.#next();
      if (type === 'S') {
        messages.push(message(type, body));
        const { name, value } = readParameterStatus(body);
        if (name === 'server_version') serverVersion = value;
        if (name === 'client_encoding') clientEncoding = value;
      } else if (type === 'K' && body.length >= 8 && body.length <= 260) key = body;
      else if (type === 'Z' && !(await this.#setCheck(serverVersion))) {
        return {
          method,
          messages: Buffer.concat([...this.#notices, ...messages]),
          key,
          serverVersion,
          clientEncoding,
          ready: message(type, body),
          rest: Buffer.from(this.reader.release()),
        };
      } else if (!'ZCE'.includes(type)) throw violation(`${type} after the login`);
    }
  }

  /**
   * Has the server notice, in the middle of a statement, that we have gone:
   * otherwise what a session runs when it is cut would run to its end. True
   * where another ReadyForQuery follows.
   */
  async #setCheck(serverVersion: string | undefined): Promise<boolean> {
    const { checkIntervalMs } = this.options;
    if (this.#settingCheck || checkIntervalMs === undefined || !canCheck(serverVersion)) return false;
    this.#settingCheck = true;
    await this.#send(serialize.query(`SET client_connection_check_interval = ${checkIntervalMs}`));
    return true;
  }

  #send(data: Buffer): Promise<void> {
    return write(this.stream, data);
  }
}

/** PostgreSQL can from version 14 on, and not on every platform: where it cannot, it says so, and nothing is lost. */
const canCheck = (serverVersion: string | undefined): boolean => Number.parseInt(serverVersion ?? '', 10) >= 14;

/** `md5` and the hexadecimal digits of md5(md5(password, user), salt). */
function md5(password: string, user: string, salt: Buffer): string {
  const digest = (...data: (string | Buffer)[]): string =>
    data.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex');
  return `md5${digest(digest(password, user), salt.subarray(0, 4))}`;
}
