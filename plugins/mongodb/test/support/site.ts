import assert from 'node:assert/strict';
import { Scope } from '@postern/plugin-sdk';
import { duplexPair, fakeHost, startSession, type FakeHost, type RunningSession } from '@postern/plugin-sdk/testing';
import plugin from '../../src/index.js';
import type { Mongodb } from '../../src/protocol.js';
import { ScriptedServer, type ScriptedOptions } from './scripted-server.js';
import { hello, Talk } from './talk.js';

export interface SiteOptions extends ScriptedOptions {
  readonly allow?: object;
  readonly deny?: object;
  readonly config?: object;
  readonly spec?: object;
}

/** A scripted server, and sessions to it as an agent holds them. */
export class Site implements AsyncDisposable {
  readonly hosts: FakeHost<Mongodb>[] = [];
  readonly #scope = Scope.root();
  readonly #running: RunningSession[] = [];
  readonly #talks: Talk[] = [];

  private constructor(
    readonly server: ScriptedServer,
    private readonly agent: Awaited<ReturnType<typeof plugin.agent>>,
    private readonly options: SiteOptions,
  ) {
    agent.bind?.(this.#scope);
  }

  static async start(options: SiteOptions = {}): Promise<Site> {
    const users = options.users ?? { app: 'pencil', other: 'pen' };
    const server = await ScriptedServer.start({ ...options, users });
    return new Site(server, await plugin.agent(), options);
  }

  /** A connection on which nothing has been said. */
  connect(more: Partial<SiteOptions> = {}): Talk {
    const options = { ...this.options, ...more };
    const host = fakeHost({
      protocol: plugin.protocol,
      spec: {
        ...this.server.endpoint,
        tls: { mode: 'disable' },
        auth: { method: 'scram-sha-256', secret: { app: 'app', other: 'other' } },
        ...options.spec,
      },
      allow: options.allow ?? { users: ['app'], databases: ['shop'], commands: ['@read', '@write'] },
      ...(options.deny && { deny: options.deny }),
      ...(options.config && { config: options.config }),
      credentials: { secret: async (name) => (name === 'app' ? 'pencil' : 'pen') },
    });
    this.hosts.push(host);
    const [client, near] = duplexPair();
    client.on('error', () => {});
    this.#running.push(startSession(host, this.agent, near, this.#scope));
    const talk = new Talk(client);
    this.#talks.push(talk);
    return talk;
  }

  /** A connection of `user`, who has been greeted. */
  async as(user = 'app', more: Partial<SiteOptions> = {}): Promise<Talk> {
    const talk = this.connect(more);
    const answer = await talk.ask(hello(user));
    assert.equal(answer['ok'], 1, JSON.stringify(answer));
    return talk;
  }

  /** The host of the newest connection. */
  get host(): FakeHost<Mongodb> {
    return this.hosts.at(-1) ?? assert.fail('nobody has connected');
  }

  /** Events of one type, of all connections. */
  events(type: string): readonly Readonly<Record<string, unknown>>[] {
    return this.hosts.flatMap(({ events }) =>
      events.filter((event) => event.type === type).map(({ fields }) => fields),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stream } of this.#talks) stream.destroy();
    await Promise.all(this.#running.map(({ done }) => done.catch(() => {})));
    await this.server[Symbol.asyncDispose]();
    await this.#scope[Symbol.asyncDispose]();
  }
}
