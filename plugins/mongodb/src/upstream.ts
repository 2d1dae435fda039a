import type tls from 'node:tls';
import {
  encryptUpstream,
  PosternError,
  secretOf,
  upstreamTlsOptions,
  type Endpoint,
  type Grant,
} from '@postern/plugin-sdk';
import { Binary, type Document } from 'bson';
import { Dialogue } from './dialogue.js';
import type { Mongodb, MongodbSpec } from './protocol.js';
import { ScramClient, type ScramMethod } from './scram.js';

/** What the other side is called in messages. */
export const whom = 'the server';

/** The name in a certificate that is never shown to anybody: only the authority beside it is used. */
const watcher = 'postern';

export interface UpstreamOptions {
  readonly grant: Grant<Mongodb>;
  readonly spec: MongodbSpec;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A connection to a server, at which somebody may be logged in. */
export interface Upstream {
  readonly dialogue: Dialogue;
  /** The server's answer to the greeting. */
  readonly greeting: Document;
  /** TLS version, or `none`. */
  readonly tlsVersion: string;
}

/**
 * Connects to the primary, greets it with the client's words, and logs in as
 * the user of the grant where it has one. Rejects with `upstream_unreachable`
 * or `upstream_auth`.
 */
export async function openUpstream(options: UpstreamOptions, hello: Document): Promise<Upstream> {
  const { grant, spec } = options;
  const password = await passwordFor(grant, spec.auth);
  const endpoints: readonly Endpoint[] = [{ host: spec.host, port: spec.port }, ...spec.members];
  let found: Upstream | undefined;
  let failure: unknown;
  for (const endpoint of endpoints) {
    try {
      const next = await connect(options, endpoint, hello);
      found?.dialogue.stream.destroy();
      found = next;
      if (isPrimary(next.greeting) || endpoints.length === 1) break;
    } catch (cause) {
      failure ??= cause;
      if (options.signal.aborted) break;
    }
  }
  if (!found) throw failure;
  const { user } = grant.ask;
  if (user !== undefined)
    await guarded(options, found, () => logIn(found.dialogue, { user, auth: spec.auth, password }));
  return found;
}

const isPrimary = (greeting: Document): boolean =>
  greeting['isWritablePrimary'] === true || greeting['ismaster'] === true;

async function connect(options: UpstreamOptions, endpoint: Endpoint, hello: Document): Promise<Upstream> {
  const { grant, spec } = options;
  const { user } = grant.ask;
  const presents = spec.auth.method === 'certificate' && user !== undefined;
  const security = await upstreamTlsOptions({ host: endpoint.host, tls: spec.tls }, grant.credentials, {
    name: user ?? watcher,
    presents,
  });
  const socket = await grant.dial(endpoint);
  return guarded(options, { dialogue: { stream: socket } }, async () => {
    const stream = security ? await encryptUpstream(socket, security, whom) : socket;
    const dialogue = new Dialogue(stream);
    const greeting = await dialogue.run(hello);
    if (greeting['ok'] !== undefined && Number(greeting['ok']) !== 1)
      throw unreachable(`the server refused the greeting: ${wordsOf(greeting)}`, 'the server refused the greeting');
    return { dialogue, greeting, tlsVersion: security ? ((stream as tls.TLSSocket).getProtocol() ?? '') : 'none' };
  });
}

/** Does what takes a while with a server, within the time and until the session ends. Destroys the stream where it fails. */
async function guarded<T>(
  { timeoutMs, signal }: UpstreamOptions,
  { dialogue: { stream } }: { readonly dialogue: Pick<Dialogue, 'stream'> },
  work: () => Promise<T>,
): Promise<T> {
  let late = false;
  const stop = (): void => void stream.destroy();
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, timeoutMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await work();
  } catch (cause) {
    stop();
    if (late) throw unreachable(`no login within ${timeoutMs} ms`, 'the server did not answer in time', cause);
    const { code, message } = PosternError.from(cause);
    if (code === 'protocol_violation' || code === 'aborted' || code === 'limit_exceeded')
      throw unreachable(`the login broke off: ${message}`, 'the server broke off the login', cause);
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function passwordFor(
  grant: Grant<Mongodb>,
  { method, secret }: MongodbSpec['auth'],
): Promise<string | undefined> {
  const { user } = grant.ask;
  if (!method.startsWith('scram') || secret === undefined || user === undefined) return undefined;
  return secretOf(grant.credentials, secret, user);
}

interface Login {
  readonly user: string;
  readonly auth: MongodbSpec['auth'];
  readonly password: string | undefined;
}

async function logIn(dialogue: Dialogue, { user, auth, password }: Login): Promise<void> {
  if (auth.method === 'none') return;
  if (auth.method === 'certificate') {
    accepted(await dialogue.run({ authenticate: 1, mechanism: 'MONGODB-X509', $db: '$external' }), user);
    return;
  }
  await scram(dialogue, { method: auth.method, user, password: password ?? '', source: auth.source });
}

interface ScramLogin {
  readonly method: ScramMethod;
  readonly user: string;
  readonly password: string;
  readonly source: string;
}

/** SCRAM in SASL (MongoDB authentication specification). */
async function scram(dialogue: Dialogue, { method, user, password, source }: ScramLogin): Promise<void> {
  const client = new ScramClient(method, user, password);
  const first = accepted(
    await dialogue.run({
      saslStart: 1,
      mechanism: method.toUpperCase(),
      payload: new Binary(Buffer.from(client.first)),
      options: { skipEmptyExchange: true },
      $db: source,
    }),
    user,
  );
  const say = async (payload: string): Promise<Document> =>
    accepted(
      await dialogue.run({
        saslContinue: 1,
        conversationId: first['conversationId'] as unknown,
        payload: new Binary(Buffer.from(payload)),
        $db: source,
      }),
      user,
    );
  let last = await say(await client.answer(payloadOf(first)));
  client.verify(payloadOf(last));
  if (last['done'] !== true) last = await say('');
  if (last['done'] !== true) throw new PosternError('upstream_auth', `the server does not finish the login of ${user}`);
}

const payloadOf = ({ payload }: Document): string =>
  payload instanceof Binary ? Buffer.from(payload.buffer.subarray(0, payload.position)).toString('latin1') : '';

function accepted(answer: Document, user: string): Document {
  if (Number(answer['ok']) === 1) return answer;
  // The server's words name no password, but they are not the client's business either.
  throw new PosternError('upstream_auth', `the server refused ${user}: ${wordsOf(answer)}`, {
    publicMessage: `the server refused the login of ${user}`,
  });
}

const wordsOf = ({ errmsg }: Document): string => (typeof errmsg === 'string' ? errmsg.slice(0, 512) : 'no reason');

const unreachable = (message: string, publicMessage: string, cause?: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage, cause });
