import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import {
  AgentTable,
  PublicPort,
  Router,
  TunnelClient,
  tunnelProtocol,
  TunnelServer,
  type Handover,
  type ServiceTls,
  type TunnelClientOptions,
  type TunnelServerOptions,
} from '../../src/tunnels/index.js';
import { cluster, silentLog } from './port-fixture.js';
import { TestAuthority } from './test-authority.js';

export const fast = { keepAlive: { pingMs: 20, silenceMs: 2000 }, backoff: { firstMs: 10, maxMs: 40 } } as const;

/** A proxy with a tunnel listener, on loopback. Certificates named `agent-…` may announce all but `forbidden`. */
export class TunnelFixture implements AsyncDisposable {
  readonly refused: { readonly reason: string; readonly detail: string }[] = [];
  readonly table = new AgentTable();
  readonly #disposables: AsyncDisposable[] = [];
  readonly #sockets = new Set<net.Socket>();
  server!: TunnelServer;
  port!: PublicPort;

  private constructor(
    readonly authority: TestAuthority,
    readonly service: ServiceTls,
  ) {}

  static async open(options: Partial<TunnelServerOptions> = {}): Promise<TunnelFixture> {
    const authority = await TestAuthority.create('services');
    const fixture = new TunnelFixture(authority, await authority.issue('proxy', [cluster]));
    await fixture.listen(options);
    return fixture;
  }

  /** Opens the proxy, at the port of the one before where there was one. */
  async listen(options: Partial<TunnelServerOptions> = {}, port = 0): Promise<void> {
    this.server = new TunnelServer({
      tls: this.service,
      table: this.table,
      log: silentLog,
      keepAlive: fast.keepAlive,
      identify: async (certificate) => {
        const id = /CN=(.*)/.exec(certificate.subject)?.[1] ?? '';
        if (!id.startsWith('agent-')) throw new PosternError('unauthenticated', `${id} is no agent`);
        return { id, serves: ({ label }) => label !== 'forbidden' };
      },
      refused: ({ reason, detail }) => this.refused.push({ reason, detail }),
      ...options,
    });
    const { server, table } = this;
    this.port = await PublicPort.listen(
      {
        router: new Router({ cluster, isKind: (id) => id === 'vault' }),
        services: { tunnel: server.dialer },
        agents: table,
        redeem: (ticket, socket) => server.redeem(ticket, socket),
        refused: ({ reason, detail }) => this.refused.push({ reason, detail }),
      },
      { host: '127.0.0.1', port },
    );
  }

  /** Closes the proxy, as a crash would: no goodbye. */
  async crash(): Promise<number> {
    const { port } = this.port.address;
    await this.port[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    return port;
  }

  /** An agent that serves `box.vault`; resolves when the proxy knows it. */
  async agent(options: Partial<TunnelClientOptions> & { readonly id?: string } = {}): Promise<AgentFixture> {
    const { id = 'agent-1', ...rest } = options;
    const credentials = await this.authority.issue(id);
    const handovers: Handover[] = [];
    const arrivals: ((handover: Handover) => void)[] = [];
    const client = TunnelClient.start({
      proxy: { host: '127.0.0.1', port: this.port.address.port },
      cluster,
      tls: () => credentials,
      routes: [{ kind: 'vault', label: 'box' }],
      take: (handover) => {
        this.#sockets.add(handover.socket);
        const waiting = arrivals.shift();
        if (waiting) waiting(handover);
        else handovers.push(handover);
      },
      log: silentLog,
      ...fast,
      ...rest,
    });
    this.#disposables.push(client);
    await client.ready();
    const next = (): Promise<Handover> => {
      const there = handovers.shift();
      return there ? Promise.resolve(there) : new Promise((resolve) => arrivals.push(resolve));
    };
    return { client, next };
  }

  async connect(): Promise<net.Socket> {
    const socket = net.connect({ port: this.port.address.port, host: '127.0.0.1', noDelay: true });
    this.#sockets.add(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  /** A control connection by hand, for what no agent of ours would say. */
  async control(credentials: Partial<ServiceTls>, servername: string = cluster): Promise<tls.TLSSocket> {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: this.port.address.port,
      servername,
      ca: this.authority.pem,
      ...(credentials.certificate !== undefined && { cert: credentials.certificate }),
      ...(credentials.key !== undefined && { key: credentials.key }),
      ALPNProtocols: [tunnelProtocol],
    });
    this.#sockets.add(socket);
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const disposable of this.#disposables) await disposable[Symbol.asyncDispose]();
    for (const socket of this.#sockets) socket.destroy();
    await this.port[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

export interface AgentFixture {
  readonly client: TunnelClient;
  /** The next client that the proxy sends. */
  next(): Promise<Handover>;
}
