import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import {
  PosternError,
  Scope,
  type AskOf,
  type Credentials,
  type Denial,
  type Hold,
  type Identity,
} from '@postern/plugin-sdk';
import { startSession, type Outcome, type RunningSession, type SessionHost } from '@postern/plugin-sdk/host';
import plugin from '../../src/index.js';
import type { Postgres } from '../../src/protocol.js';
import { Authority } from './authority.js';
import { TestOpening } from './test-opening.js';

export interface StandOptions {
  /** The document's `spec`. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  /** What each user's roles allow. */
  readonly access?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The agent's own secrets. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The CA of database clients, and the one of database servers. */
  readonly databaseClients?: Authority;
  readonly databaseServers?: Authority;
  /** Called for each event before it is kept. */
  readonly onEvent?: (type: string, fields: Readonly<Record<string, unknown>>) => Hold;
}

export interface SeenEvent {
  readonly type: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Plays the kernel around the plugin: a public port with the proxy's half, mutual TLS, decisions, log and recordings. */
export class Stand implements AsyncDisposable {
  readonly events: SeenEvent[] = [];
  readonly lines: SeenEvent[] = [];
  readonly logged: string[] = [];
  readonly outcomes: Outcome[] = [];
  readonly resource: string = 'pg1';
  readonly hostname = `pg1.postgres.postern.test`;
  /** Signs the users' certificates and the agent's own. */
  readonly authority = new Authority('postern test');
  readonly #sessions = new Map<number, RunningSession>();
  readonly #cuts = new Set<AbortController>();
  readonly #sockets = new Set<net.Socket>();
  readonly #scope = Scope.root().child();
  readonly #stop = new AbortController();
  readonly #public = net.createServer((socket) => void this.#accept(socket));
  readonly #tls: tls.Server;
  #next = 1000;

  private constructor(private readonly options: StandOptions) {
    const server = this.authority.issue('pg1', [`DNS:${this.hostname}`]);
    this.#tls = tls.createServer({
      cert: server.certificate,
      key: server.key,
      ca: this.authority.certificate,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNCallback: ({ protocols }) => protocols.find((name) => name === 'postgresql'),
    });
    this.#tls.on('secureConnection', (socket) => void this.#serve(socket)).on('tlsClientError', () => {});
  }

  static async start(options: StandOptions): Promise<Stand> {
    const stand = new Stand(options);
    const agent = await plugin.agent();
    agent.bind?.(stand.#scope);
    stand.#public.listen(0, '127.0.0.1');
    await once(stand.#public, 'listening');
    return stand;
  }

  get port(): number {
    return (this.#public.address() as net.AddressInfo).port;
  }

  get live(): number {
    return this.#sessions.size;
  }

  /** The fields of all events of one type. */
  seen(type: string): Readonly<Record<string, unknown>>[] {
    return this.events.filter((event) => event.type === `postgres.${type}`).map(({ fields }) => fields);
  }

  /** Waits until no session runs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ done }) => done));
  }

  /** Ends all sessions, as a lock does. */
  cut(denial: Denial): void {
    for (const cut of this.#cuts) cut.abort(denial);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort({ code: 'unavailable', message: 'the stand is taken down' } satisfies Denial);
    for (const socket of this.#sockets) socket.destroy();
    await this.idle();
    this.#public.close();
    await once(this.#public, 'close');
    await this.#scope[Symbol.asyncDispose]();
    this.authority[Symbol.dispose]();
  }

  async #accept(socket: net.Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
    try {
      const opening = new TestOpening(socket);
      const proxy = await plugin.proxy?.();
      if (proxy?.recognise(await opening.look(8)) !== 'yes') {
        opening.release();
        return void this.#tls.emit('connection', socket);
      }
      await this.#talk(socket, opening, proxy);
    } catch {
      socket.destroy();
    }
  }

  async #talk(
    socket: net.Socket,
    opening: TestOpening,
    proxy: NonNullable<Awaited<ReturnType<NonNullable<typeof plugin.proxy>>>>,
  ): Promise<void> {
    const onward = await proxy.open(opening);
    if (onward.kind === 'tls') {
      opening.release();
      this.#tls.emit('connection', socket);
      return;
    }
    if (onward.kind === 'signal') await this.#sessions.get(onward.connection)?.signal(onward.payload);
    socket.resume().end();
  }

  async #serve(socket: tls.TLSSocket): Promise<void> {
    const connection = (this.#next += 1);
    const cut = new AbortController();
    const host = this.#host(connection, socket, cut.signal);
    const session = startSession(host, await plugin.agent(), socket, this.#scope);
    this.#sessions.set(connection, session);
    this.#cuts.add(cut);
    this.outcomes.push(await session.done);
    this.#sessions.delete(connection);
    this.#cuts.delete(cut);
  }

  #host(connection: number, socket: tls.TLSSocket, signal: AbortSignal): SessionHost<Postgres> {
    const { protocol } = plugin;
    const note = (level: string) => (message: string, fields?: object) =>
      void this.logged.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
    const event = (type: string, fields: object): void =>
      void this.events.push({ type, fields: { ...fields, connection } });
    return {
      id: `session-${connection}`,
      cluster: 'postern.test',
      protocol,
      resource: {
        name: this.resource,
        labels: {},
        spec: protocol.auth.resource.parse(this.options.spec),
      },
      config: protocol.config.parse(this.options.config ?? {}),
      connection,
      source: socket.remoteAddress ?? '',
      alpn: socket.alpnProtocol || undefined,
      revision: 1,
      identity: identityOf(socket),
      server: { openSsh: () => Promise.reject(new Error('no ssh here')) },
      log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      limits: { openMs: 5000, graceMs: 1000 },
      signal: this.#stop.signal,
      verify: () => Promise.reject(new Error('nothing to verify here')),
      admit: async (identity, ask) => {
        const denial = this.#decide(identity, ask);
        event(denial ? 'denied' : 'start', { user: identity?.user, ask });
        return denial ? { allowed: false, denial } : { allowed: true, signal };
      },
      decide: async (identity, ask) => this.#decide(identity, ask),
      refused: async (denial) => event('refused', denial),
      credentials: () => this.#credentials(),
      dial: (endpoint) => dial(endpoint),
      emit: (type, fields) => {
        const hold = this.options.onEvent?.(type, fields);
        event(type, fields);
        return hold;
      },
      record: async () => ({
        write: () => undefined,
        mark: (type, fields) => void this.lines.push({ type, fields: structuredClone(fields) }),
        close: async () => {},
      }),
      end: async (outcome) => event('end', { outcome: outcome.kind }),
    };
  }

  #decide(identity: Identity | undefined, ask: AskOf<Postgres>): Denial | undefined {
    if (!identity) return { code: 'unauthenticated', message: 'no certificate of this cluster was shown' };
    const { auth } = plugin.protocol;
    const allowed = auth.access.parse(this.options.access?.[identity.user] ?? {});
    if (auth.permits(allowed, ask)) return undefined;
    return { code: 'access_denied', message: `${identity.user} may not use database ${ask.database} as ${ask.user}` };
  }

  #credentials(): Credentials {
    const { databaseClients, databaseServers, secrets } = this.options;
    return {
      tls: async (name) => {
        if (!databaseServers) throw new PosternError('unavailable', 'no database CA here');
        const issued = databaseClients?.issue(name) ?? { certificate: '', key: '' };
        return { ...issued, authority: databaseServers.certificate };
      },
      secret: async (name) => secrets?.[name] ?? Promise.reject(new PosternError('not_found', `no secret ${name}`)),
      openSsh: () => Promise.reject(new Error('no ssh here')),
      assertion: () => Promise.reject(new Error('no assertions here')),
    };
  }
}

function identityOf(socket: tls.TLSSocket): Identity | undefined {
  if (!socket.authorized) return undefined;
  return {
    user: String(socket.getPeerCertificate().subject.CN),
    cluster: 'postern.test',
    roles: [],
    traits: {},
    principals: {},
    generation: 1,
    serial: '00',
    expires: new Date(Date.now() + 3_600_000),
    requests: [],
  };
}

async function dial({ host, port }: { host: string; port: number }): Promise<net.Socket> {
  const socket = net.connect({ host, port, noDelay: true });
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new PosternError('upstream_unreachable', `cannot connect to ${host}:${port}`, {
      cause,
      publicMessage: 'the database cannot be reached',
    });
  }
  return socket;
}
