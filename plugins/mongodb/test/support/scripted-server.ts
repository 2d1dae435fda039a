import { createHash, createHmac, pbkdf2Sync, X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { loopback, type Loopback } from '@postern/plugin-sdk/testing';
import { Binary, deserialize, Long, type Document } from 'bson';
import { MessageReader, type Message } from '../../src/message-reader.js';
import { parseRequest, documentsOf, type Request } from '../../src/request.js';
import { encodeAnswer, encodeMessage, flag } from '../../src/wire.js';

/** What a test makes of a command before the server does: an answer, raw bytes, or nothing at all. */
export type Script = (command: Document, request: Request) => Document | Buffer | 'silence' | undefined;

export interface ScriptedOptions {
  /** Who may log in, with which password. Nobody has to by default. */
  readonly users?: Readonly<Record<string, string>>;
  readonly script?: Script;
  /** What the greeting says beside the usual. */
  readonly hello?: Document;
  /** The same, where it changes. */
  readonly greet?: () => Document;
  /** PEM: the server then speaks TLS, asks for a certificate, and `authenticate` makes who shows one of `clients` its common name. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clients?: () => string };
}

const iterations = 4096;

/** A server that speaks as much of the protocol as the tests need, keeps documents in memory, and does what it is told. */
export class ScriptedServer implements AsyncDisposable {
  /** All commands but greetings and logins, in their order. */
  readonly commands: Document[] = [];
  readonly logins: string[] = [];
  readonly greetings: Document[] = [];
  readonly #collections = new Map<string, Document[]>();
  readonly #cursors = new Map<string, { readonly namespace: string; documents: Document[] }>();
  #nextCursor = 7_000_000_000_000n;
  #listener: Loopback | undefined;

  private constructor(private readonly options: ScriptedOptions) {}

  static async start(options: ScriptedOptions = {}): Promise<ScriptedServer> {
    const server = new ScriptedServer(options);
    server.#listener = await loopback((socket) => server.#serve(server.#secured(socket)));
    return server;
  }

  get endpoint(): { readonly host: string; readonly port: number } {
    const { host = '', port = 0 } = this.#listener ?? {};
    return { host, port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.close();
  }

  #secured(socket: Duplex): Duplex {
    const { tls } = this.options;
    if (!tls) return socket;
    const secured = new TLSSocket(socket, {
      isServer: true,
      cert: tls.certificate,
      key: tls.key,
      requestCert: true,
      rejectUnauthorized: false,
    });
    secured.on('error', () => socket.destroy());
    return secured;
  }

  /** Whom the certificate names that the other side has shown, if the authority is one that counts. */
  #named(socket: Duplex): string | undefined {
    const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    const clients = this.options.tls?.clients?.();
    if (!shown || clients === undefined) return undefined;
    if (!shown.verify(new X509Certificate(clients).publicKey)) return undefined;
    return /^CN=(.+)$/m.exec(shown.subject)?.[1];
  }

  #serve(socket: Duplex): void {
    const reader = new MessageReader(48_000_000);
    const peer = new Peer(this.options.users, () => this.#named(socket));
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(Buffer.from(chunk));
        for (let message = reader.next(); message; message = reader.next()) this.#answer(socket, peer, message);
      } catch {
        socket.destroy();
      }
    });
    socket.on('end', () => socket.end());
  }

  #answer(socket: Duplex, peer: Peer, message: Message): void {
    const request = parseRequest(message);
    const command = commandOf(request);
    const { name } = request;
    if (/^(hello|ismaster)$/i.test(name)) {
      this.greetings.push(command);
      const { hello, greet } = this.options;
      socket.write(encodeAnswer(request, { ...greeting, ...hello, ...greet?.() }));
      return;
    }
    const login = peer.logIn(name, command);
    if (!login) return this.#obey(socket, peer, { request, command });
    if (peer.user !== undefined) this.logins.push(peer.user);
    socket.write(encodeAnswer(request, login));
  }

  #obey(socket: Duplex, peer: Peer, { request, command }: Order): void {
    const { name } = request;
    this.commands.push(command);
    const scripted = this.options.script?.(command, request);
    if (scripted === 'silence') return;
    if (Buffer.isBuffer(scripted)) return void socket.write(scripted);
    if ((request.flags & flag.moreToCome) !== 0) return void this.#run(name, command);
    const answer = peer.ready || name === 'buildInfo' ? (scripted ?? this.#run(name, command)) : loginFirst;
    if (name === 'getMore' && (request.flags & flag.exhaustAllowed) !== 0)
      return this.#exhaust(socket, { request, command }, answer);
    socket.write(encodeAnswer(request, answer));
  }

  /** Answers on and on, as long as there is more (OP_MSG, `exhaustAllowed`). */
  #exhaust(socket: Duplex, { request: { requestId }, command }: Order, first: Document): void {
    let responseTo = requestId;
    let answer = first;
    for (let own = 900_001; ; own += 1) {
      const more = String((answer['cursor'] as Document | undefined)?.['id'] ?? 0) !== '0';
      const data = encodeMessage({ requestId: own, responseTo }, answer);
      if (more) data.writeUInt32LE(flag.moreToCome, 16);
      socket.write(data);
      if (!more) return;
      responseTo = own;
      answer = this.#run('getMore', command);
    }
  }

  #run(name: string, command: Document): Document {
    const namespace = `${command['$db']}.${command[name]}`;
    const stored = this.#collections.get(namespace) ?? [];
    const known: Readonly<Record<string, () => Document>> = {
      insert: () => {
        const documents = command['documents'] as Document[];
        this.#collections.set(namespace, [...stored, ...documents]);
        return { n: documents.length, ok: 1 };
      },
      find: () => this.#open(namespace, stored, command),
      aggregate: () => this.#open(namespace, stored, command),
      getMore: () => this.#more(String(command['getMore']), Number(command['batchSize'] ?? 2)),
      killCursors: () => {
        for (const id of command['cursors'] as unknown[]) this.#cursors.delete(String(id));
        return { cursorsKilled: command['cursors'] as unknown, ok: 1 };
      },
      update: () => ({ n: 1, nModified: 1, ok: 1 }),
      delete: () => ({ n: 1, ok: 1 }),
      buildInfo: () => ({ version: '7.0.0', ok: 1 }),
    };
    const work = Object.hasOwn(known, name) ? known[name] : undefined;
    return work?.() ?? (harmless.has(name) ? { ok: 1 } : noSuch(name));
  }

  #open(namespace: string, stored: readonly Document[], command: Document): Document {
    const { batchSize } = (command['cursor'] ?? command) as { readonly batchSize?: unknown };
    const size = Number(batchSize ?? 101);
    const limited = Number(command['limit'] ?? 0) > 0 ? stored.slice(0, Number(command['limit'])) : [...stored];
    const firstBatch = limited.splice(0, size);
    let id = 0n;
    if (limited.length > 0 && command['singleBatch'] !== true) {
      id = this.#nextCursor += 1n;
      this.#cursors.set(String(id), { namespace, documents: limited });
    }
    return { cursor: { firstBatch, id: Long.fromBigInt(id), ns: namespace }, ok: 1 };
  }

  #more(id: string, size: number): Document {
    const cursor = this.#cursors.get(id);
    if (!cursor) return { ok: 0, errmsg: `cursor id ${id} not found`, code: 43, codeName: 'CursorNotFound' };
    const nextBatch = cursor.documents.splice(0, size);
    const left = cursor.documents.length > 0;
    if (!left) this.#cursors.delete(id);
    return { cursor: { nextBatch, id: left ? Long.fromString(id) : Long.ZERO, ns: cursor.namespace }, ok: 1 };
  }
}

/** A command, and the message in which it came. */
interface Order {
  readonly request: Request;
  readonly command: Document;
}

const harmless = new Set(['ping', 'endSessions', 'commitTransaction', 'abortTransaction', 'createUser', 'drop']);

const noSuch = (name: string): Document => ({
  ok: 0,
  errmsg: `no such command: '${name}'`,
  code: 59,
  codeName: 'CommandNotFound',
});

const loginFirst: Document = {
  ok: 0,
  errmsg: 'command requires authentication',
  code: 13,
  codeName: 'Unauthorized',
};

const greeting: Document = {
  helloOk: true,
  ismaster: true,
  isWritablePrimary: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  localTime: new Date(0),
  logicalSessionTimeoutMinutes: 30,
  connectionId: 1,
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
  ok: 1,
};

/** A message as one document, where sequences are arrays again. */
export function commandOf({ data, body, sequences, database, legacy }: Request): Document {
  const document = deserialize(data.subarray(body.start, body.end), { useBigInt64: false, promoteLongs: false });
  for (const sequence of sequences)
    document[sequence.identifier] = [...documentsOf(data, sequence)].map(({ start, end }) =>
      deserialize(data.subarray(start, end)),
    );
  return legacy ? { ...document, $db: database } : document;
}

/** The server's side of a login: SCRAM-SHA-256 and SCRAM-SHA-1. */
class Peer {
  user: string | undefined;
  ready: boolean;
  #first = '';
  #challenge = '';
  #name = '';
  #hash: 'sha256' | 'sha1' = 'sha256';

  constructor(
    private readonly users: Readonly<Record<string, string>> | undefined,
    private readonly named: () => string | undefined,
  ) {
    this.ready = users === undefined;
  }

  logIn(name: string, command: Document): Document | undefined {
    if (name === 'authenticate') return this.#certified(command);
    const payload = command['payload'] instanceof Binary ? Buffer.from(command['payload'].value()).toString() : '';
    if (name === 'saslStart') return this.#start(String(command['mechanism']), payload);
    if (name === 'saslContinue') return this.#proof(payload);
    return undefined;
  }

  #certified({ mechanism, $db }: Document): Document {
    const user = mechanism === 'MONGODB-X509' && $db === '$external' ? this.named() : undefined;
    if (user === undefined) return { ok: 0, errmsg: 'no certificate', code: 18, codeName: 'AuthenticationFailed' };
    this.user = user;
    this.ready = true;
    return { dbname: '$external', user: `CN=${user}`, ok: 1 };
  }

  #start(mechanism: string, payload: string): Document {
    this.#hash = mechanism === 'SCRAM-SHA-1' ? 'sha1' : 'sha256';
    this.#first = payload.replace(/^n,,/, '');
    this.#name = /n=([^,]*)/.exec(payload)?.[1] ?? '';
    const nonce = /r=([^,]*)/.exec(payload)?.[1] ?? '';
    this.#challenge = `r=${nonce}server,s=${salt.toString('base64')},i=${iterations}`;
    return { conversationId: 1, done: false, payload: new Binary(Buffer.from(this.#challenge)), ok: 1 };
  }

  #proof(payload: string): Document {
    const plain = this.users?.[this.#name] ?? '';
    const digest = createHash('md5').update(`${this.#name}:mongo:${plain}`).digest('hex');
    const length = this.#hash === 'sha256' ? 32 : 20;
    const salted = pbkdf2Sync(this.#hash === 'sha256' ? plain : digest, salt, iterations, length, this.#hash);
    const mac = (key: Buffer, data: string): Buffer => createHmac(this.#hash, key).update(data).digest();
    const [unproved = '', proof = ''] = payload.split(',p=');
    const all = `${this.#first},${this.#challenge},${unproved}`;
    const key = mac(salted, 'Client Key');
    const signature = mac(createHash(this.#hash).update(key).digest(), all);
    const expected = Buffer.from(key.map((byte, index) => byte ^ (signature[index] ?? 0))).toString('base64');
    if (proof !== expected || this.users?.[this.#name] === undefined)
      return { ok: 0, errmsg: 'Authentication failed.', code: 18, codeName: 'AuthenticationFailed' };
    this.user = this.#name;
    this.ready = true;
    const last = `v=${mac(mac(salted, 'Server Key'), all).toString('base64')}`;
    return { conversationId: 1, done: true, payload: new Binary(Buffer.from(last)), ok: 1 };
  }
}

const salt = Buffer.from('0123456789abcdef');
