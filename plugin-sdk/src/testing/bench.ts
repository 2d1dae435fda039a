import type { Duplex } from 'node:stream';
import { startSession, within, type Outcome, type RunningSession } from '../host/index.js';
import type { AgentModule, Plugin } from '../plugin.js';
import type { AnyProtocol } from '../protocol.js';
import { Scope } from '../scope.js';
import { duplexPair } from './duplex-pair.js';
import { FakeHost, type FakeHostOptions } from './fake-host.js';
import type { Harness, Upstream } from './harness.js';
import { Passage } from './passage.js';
import { Player } from './player.js';

export interface HoldOptions<P extends AnyProtocol> extends Partial<FakeHostOptions<P>> {
  /** What happens to the client's bytes on their way. */
  readonly wire?: (chunk: Buffer) => Iterable<Buffer> | AsyncIterable<Buffer>;
  readonly scope?: Scope;
  readonly prepare?: (host: FakeHost<P>) => void;
}

/** A plugin beside a running resource: what every check starts from. */
export class Bench<P extends AnyProtocol> implements AsyncDisposable {
  /** The plugin's own scope. */
  readonly scope = Scope.root();

  private constructor(
    readonly plugin: Plugin<P>,
    readonly harness: Harness<P>,
    readonly agent: AgentModule<P>,
    readonly upstream: Upstream,
  ) {
    agent.bind?.(this.scope);
  }

  static async open<P extends AnyProtocol>(plugin: Plugin<P>, harness: Harness<P>): Promise<Bench<P>> {
    return new Bench(plugin, harness, await plugin.agent(), await harness.upstream());
  }

  get protocol(): P {
    return this.plugin.protocol;
  }

  /** What a host of this harness looks like. */
  host(options: Partial<FakeHostOptions<P>> = {}): FakeHost<P> {
    const { access, config, identity, verify, server } = this.harness;
    const { spec, credentials } = this.upstream;
    return new FakeHost<P>({
      protocol: this.protocol,
      spec,
      allow: access,
      ...(config !== undefined && { config }),
      ...(identity && { identity }),
      ...(verify && { verify }),
      ...(server && { server }),
      ...(credentials && { credentials }),
      ...options,
    });
  }

  /** Begins a session, with a client that has not said anything yet. */
  hold(options: HoldOptions<P> = {}): Held<P> {
    const { wire, scope, prepare, ...hostOptions } = options;
    const host = this.host(hostOptions);
    prepare?.(host);
    const [client, near] = duplexPair();
    const session = startSession(host, this.agent, near, scope ?? this.scope);
    const stream = wire ? new Passage(client, { outward: wire }) : client;
    return new Held(host, session, new Player(stream, this.harness.patienceMs ?? 5000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.upstream.close();
    await this.scope[Symbol.asyncDispose]();
  }
}

/** A session that runs, and its client. */
export class Held<P extends AnyProtocol> implements AsyncDisposable {
  #outcome: Outcome | undefined;

  constructor(
    readonly host: FakeHost<P>,
    readonly session: RunningSession,
    readonly player: Player,
  ) {
    this.player.listen();
    session.done.then(
      (outcome) => (this.#outcome = outcome),
      () => {},
    );
  }

  /** The client's end of the connection. */
  get client(): Duplex {
    return this.player.stream;
  }

  /** How the session ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** The session events, which the kernel emits. */
  get sessionEvents(): string[] {
    return this.host.events.map(({ type }) => type).filter((type) => type.startsWith('session.'));
  }

  /** Waits for the end of the session; rejects where it does not come. */
  async ended(ms = 5000): Promise<Outcome> {
    return within(this.session.done, ms).catch(() => {
      throw new Error(`the session has not ended within ${ms} ms`);
    });
  }

  /** Says goodbye as a client does, and waits for the end. */
  async leave(ms = 5000): Promise<Outcome> {
    this.client.end();
    return this.ended(ms);
  }

  /** Ends whatever is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.host.stop({ code: 'unavailable', message: 'the check is over' });
    this.client.destroy();
    await within(this.session.done, 5000).catch(() => {});
  }
}
