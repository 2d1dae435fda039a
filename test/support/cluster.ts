import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger, Plugin } from '@postern/plugin-sdk';
import { ApiClient } from '@postern/kernel/api';
import { acceptInvite, createUser, login, putDocument, type InputOf } from '@postern/kernel/api/contract';
import { AuditReader, type AuditEvent, type EventFilter } from '@postern/kernel/audit';
import { startCluster, type RunningCluster, type StartClusterOptions } from '@postern/kernel/cluster';
import { parseConfiguration } from '@postern/kernel/configuration';
import { PluginSet } from '@postern/kernel/plugins';
import { requestRoute } from '@postern/kernel/tunnels';
import { TestClock } from './clock.js';
import { newUserKeys, type TestLogin } from './login.js';

/** Roles and resources as an operator writes them; `kind` of a role is added where it is missing. */
type Document = Readonly<Record<string, unknown>> & { readonly name: string };

export interface TestClusterOptions {
  readonly plugins: readonly Plugin[];
  readonly cluster?: string;
  /** Sections of `postern.yaml`, beside what the harness sets itself. */
  readonly configuration?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly roles?: readonly Document[];
  readonly resources?: readonly (Document & { readonly kind: string })[];
  /** Users with the roles that they have; each gets {@link testPassword} by accepting an invitation. */
  readonly users?: Readonly<Record<string, TestUser>>;
  /** Goes on from a cluster that was here before. Made and removed where absent. */
  readonly data?: string;
  readonly clock?: TestClock;
  /** Limits of the way to the audit log. */
  readonly trail?: StartClusterOptions['trail'];
}

export interface TestUser {
  readonly roles: readonly string[];
  readonly traits?: Readonly<Record<string, readonly string[]>>;
}

export interface ConnectOptions {
  readonly alpn?: readonly string[];
  /** The client's address, as a balancer in front of the port states it. */
  readonly from?: string;
  /** Instead of `<name>.<kind>.<cluster>`. */
  readonly hostname?: string;
}

export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: object | undefined;
}

/** What every user of a test cluster has chosen. */
export const testPassword = 'correct horse battery staple';

/**
 * A whole cluster in this process: Auth Service, proxy and agent, with a data
 * directory of its own and a public port that the system chose. Everything goes
 * the real way: users accept invitations and log in over TLS, documents come
 * through the administration socket, clients connect to the public port.
 */
export class TestCluster implements AsyncDisposable {
  /** What the processes wrote for operators. */
  readonly log: LogLine[];
  readonly clock: TestClock;
  /** Calls the API as the machine's administrator, over the socket in the data directory. */
  readonly admin: ApiClient;
  readonly #clients: ApiClient[] = [];

  private constructor(
    readonly running: RunningCluster,
    readonly cluster: string,
    readonly directory: string,
    private readonly made: { readonly log: LogLine[]; readonly clock: TestClock; readonly owned: boolean },
  ) {
    this.log = made.log;
    this.clock = made.clock;
    this.admin = this.#keep(
      new ApiClient('http://localhost', () => connected(net.connect(running.state.directory.adminSocket))),
    );
  }

  static async start(options: TestClusterOptions): Promise<TestCluster> {
    const { cluster = 'cluster.test', clock = new TestClock(), plugins } = options;
    const owned = options.data === undefined;
    const directory = options.data ?? (await mkdtemp(join(tmpdir(), 'postern-cluster-')));
    await mkdir(directory, { recursive: true });
    const log: LogLine[] = [];
    try {
      const running = await startCluster({
        ...(await configured(options, cluster, directory)),
        ...world(log, clock),
        trail: options.trail,
      });
      const started = new TestCluster(running, cluster, directory, { log, clock, owned });
      try {
        await started.#fill(options);
      } catch (cause) {
        await started[Symbol.asyncDispose]();
        throw cause;
      }
      return started;
    } catch (cause) {
      if (owned) await rm(directory, { recursive: true, force: true });
      throw new Error(`no cluster with ${plugins.map(({ protocol }) => protocol.id).join(', ')}`, { cause });
    }
  }

  /** The public port on the loopback interface. */
  get port(): number {
    const port = this.running.port?.address.port;
    if (port === undefined) throw new Error('this cluster has no proxy');
    return port;
  }

  /** PEM of the host authorities that are trusted now. */
  get authorities(): string {
    return this.running.state.view.bundle('host').x509.join('');
  }

  get pin(): string {
    return this.running.pin;
  }

  hostname(kind: string, name: string): string {
    return `${name}.${kind}.${this.cluster}`;
  }

  /** Creates or replaces a role or a resource, and waits until agents know it. */
  async put(document: Document & { readonly kind: string }): Promise<void> {
    const { kind, name } = document;
    await this.admin.call(putDocument, { kind, name, document: { ...document } });
    await this.seen();
  }

  /** Resolves when the change feed has caught up with everything that was written before. */
  async seen(): Promise<void> {
    const { view, store } = this.running.state;
    const probe = `seen-${process.hrtime.bigint()}`;
    await store.commit({ put: [{ key: `roles/${probe}`, value: 'null' }] });
    await until(() => view.roles.has(probe));
    await store.commit({ delete: [`roles/${probe}`] });
    await until(() => !view.roles.has(probe));
  }

  /** Makes a user who may log in with {@link testPassword}, or with the password that is given. */
  async addUser(name: string, { roles, traits = {} }: TestUser, password = testPassword): Promise<void> {
    const { token } = await this.admin.call(createUser, { name, roles: [...roles], traits: copy(traits) });
    await this.admin.call(acceptInvite, { token, password });
    await this.seen();
  }

  /** Logs in over TLS, end to end with the Auth Service. The private keys are made here. */
  async login(
    user: string,
    more: Partial<InputOf<typeof login>> & Pick<ConnectOptions, 'from'> = {},
  ): Promise<TestLogin> {
    const { from, ...request } = more;
    const keys = newUserKeys();
    const client = this.api(undefined, from === undefined ? {} : { from });
    try {
      const answer = await client.call(login, { user, password: testPassword, ...keys.request, ...request });
      return { ...answer, key: keys.tls, sshKey: keys.openSsh };
    } finally {
      await client[Symbol.asyncDispose]();
    }
  }

  /** Calls the API as a user, or as somebody without a certificate. Closed with the cluster. */
  api(login?: Pick<TestLogin, 'certificate' | 'key'>, options: ConnectOptions = {}): ApiClient {
    const hostname = `auth.${this.cluster}`;
    return this.#keep(
      new ApiClient(`https://${hostname}`, () => this.connect('', '', login, { hostname, alpn: ['h2'], ...options })),
    );
  }

  /** Connects to a resource by mutual TLS, or without a certificate. Rejects where the handshake fails. */
  async connect(
    kind: string,
    name: string,
    login?: Pick<TestLogin, 'certificate' | 'key'>,
    { alpn, from, hostname = this.hostname(kind, name) }: ConnectOptions = {},
  ): Promise<tls.TLSSocket> {
    const socket = await this.open(from);
    const stream = tls.connect({
      socket,
      servername: hostname,
      ca: this.authorities,
      minVersion: 'TLSv1.3',
      ...(alpn && { ALPNProtocols: [...alpn] }),
      ...(login && { cert: login.certificate, key: login.key }),
    });
    return connected(stream, 'secureConnect');
  }

  /** Connects to a resource without TLS, as clients do whose protocol encrypts end to end itself. */
  async route(kind: string, name: string, { from, hostname = this.hostname(kind, name) }: ConnectOptions = {}) {
    const socket = await this.open(from);
    await requestRoute(socket, hostname);
    return socket;
  }

  /** A bare connection to the public port, from an address of the client's choice. */
  async open(from?: string): Promise<net.Socket> {
    const socket = await connected(net.connect({ host: '127.0.0.1', port: this.port, noDelay: true }));
    socket.on('error', () => {});
    if (from !== undefined) socket.write(`PROXY TCP${net.isIP(from)} ${from} ${from} 1024 443\r\n`);
    return socket;
  }

  /** The audit log so far, oldest first, once everything that was emitted has been delivered. */
  async events(filter: EventFilter = {}): Promise<readonly AuditEvent[]> {
    const { auditLog, trail } = this.running.state;
    await trail.delivery.idle();
    const reader = new AuditReader({ directory: auditLog.directory, live: auditLog });
    const { events } = await reader.find({ ...filter, order: 'oldest', limit: 1000 });
    return events.map(({ event }) => event);
  }

  /** The first event that matches, as soon as there is one. */
  async event(filter: EventFilter, count = 1): Promise<AuditEvent> {
    let found: AuditEvent | undefined;
    await until(async () => (found = (await this.events(filter))[count - 1]) !== undefined);
    return found as unknown as AuditEvent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    await this.running[Symbol.asyncDispose]();
    if (this.made.owned) await rm(this.directory, { recursive: true, force: true });
  }

  async #fill({ roles = [], resources = [], users = {} }: TestClusterOptions): Promise<void> {
    for (const role of roles) await this.put({ kind: 'role', ...role });
    for (const resource of resources) await this.put(resource);
    for (const [name, user] of Object.entries(users)) await this.addUser(name, user);
  }

  #keep(client: ApiClient): ApiClient {
    this.#clients.push(client);
    return client;
  }
}

/** Waits until a condition holds; fails after a few seconds. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 8000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not true after ${ms} ms: ${holds.toString()}`);
    await sleep(2);
  }
}

async function configured({ configuration = {}, plugins }: TestClusterOptions, cluster: string, directory: string) {
  const { proxy = {}, agent = {}, ...sections } = configuration;
  const written = {
    cluster,
    data: join(directory, 'data'),
    // A balancer's header lets a test connect from any address.
    proxy: { listen: '127.0.0.1:0', trusted_proxies: ['127.0.0.1/32'], ...proxy },
    // Tests count who connects to their servers.
    agent: { probes: { enabled: false }, ...agent },
    ...sections,
  };
  const loaded = parseConfiguration(JSON.stringify(written), join(directory, 'postern.yaml'));
  const { source } = loaded;
  const set = await PluginSet.load({ standard: plugins, sections: loaded.configuration.plugins, source, directory });
  return { configuration: loaded.configuration, plugins: set };
}

function world(log: LogLine[], clock: TestClock) {
  const level =
    (name: keyof Logger) =>
    (message: string, fields?: object): void =>
      void log.push({ level: name, message, fields });
  const logger: Logger = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  return { logger, version: '0.0.0-test', now: clock.now };
}

async function connected<S extends net.Socket>(socket: S, event = 'connect'): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  return socket;
}

const copy = (lists: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(lists).map(([name, values]) => [name, [...values]]));
