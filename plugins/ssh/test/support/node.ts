import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Scope, type AgentModule, type OpenSshCredential } from '@postern/plugin-sdk';
import { startSession } from '@postern/plugin-sdk/host';
import { fakeHost, type FakeEvent, type FakeHost, type FakeHostOptions } from '@postern/plugin-sdk/testing';
import * as agent from '../../src/agent.js';
import { ssh, type Ssh } from '../../src/protocol.js';
import type { Authority } from './authority.js';
import { trust } from './trust.js';

export interface NodeOptions extends Partial<FakeHostOptions<Ssh>> {
  readonly credential?: OpenSshCredential;
  readonly module?: AgentModule<Ssh>;
}

/** The plugin behind a port of its own, with the kernel's part played by fakes. */
export class TestNode {
  /** One for each connection, in their order. */
  readonly hosts: FakeHost<Ssh>[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #running = new Set<Promise<unknown>>();

  private constructor(
    private readonly server: Server,
    private readonly authority: Authority,
    private readonly options: NodeOptions,
    readonly credential: OpenSshCredential,
  ) {
    const scope = Scope.root().child();
    agent.bind(scope);
    server.on('connection', (socket: Socket) => this.#serve(socket, scope));
  }

  static async start(authority: Authority, options: NodeOptions = {}): Promise<TestNode> {
    const server = createServer({ allowHalfOpen: true });
    const node = new TestNode(server, authority, options, options.credential ?? authority.host());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return node;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get host(): FakeHost<Ssh> {
    const host = this.hosts.at(-1);
    if (!host) throw new Error('nobody connected');
    return host;
  }

  get sessions(): number {
    return this.#running.size;
  }

  /** Bytes that wait for clients which do not read. */
  get unsent(): number {
    return [...this.#sockets].reduce((sum, socket) => sum + socket.writableLength, 0);
  }

  events(type?: string): readonly FakeEvent[] {
    const all = this.hosts.flatMap((host) => host.events);
    return type === undefined ? all : all.filter((event) => event.type === type);
  }

  /** Waits for every session to end by itself. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await this.idle();
    await closed;
  }

  #serve(socket: Socket, scope: Scope): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const host = fakeHost<Ssh>({
      protocol: ssh,
      spec: {},
      server: { openSsh: () => Promise.resolve(this.credential) },
      verify: trust(this.authority.publicKey('user-ca')),
      ...this.options,
    });
    // What a session leaves running is known by its id, which no other one has.
    Object.assign(host, { id: randomUUID() });
    this.hosts.push(host);
    const { done } = startSession(host, this.options.module ?? agent, socket, scope);
    const running: Promise<unknown> = done.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
