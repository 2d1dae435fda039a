import http, { type AgentOptions, type ClientRequest } from 'node:http';
import type { Duplex } from 'node:stream';

/** What Node's requests ask of their agent; documented only by use. */
interface Adds {
  addRequest(request: ClientRequest, options: unknown): void;
}

/** Called once for each request to the application, before any of it is written. */
export type Prepare = (upstream: ClientRequest) => void;

/** In the place of an agent, for one request. */
export interface PinnedAgent extends Adds {
  readonly keepAlive: true;
  readonly protocol: 'http:';
  readonly defaultPort: number;
}

const usual: AgentOptions = { keepAlive: true, maxSockets: 2, maxFreeSockets: 1 };

/** Connections of one client to the application, made by the session's grant and used again one after the other. */
export class TargetAgent extends http.Agent {
  readonly #open = new Set<Duplex>();
  readonly #idle = new WeakMap<Duplex, () => void>();

  constructor(private readonly connect: () => Promise<Duplex>) {
    super(usual);
  }

  /** An agent that shows the request to `prepare` and connects as this one does. */
  pinned(prepare: Prepare): PinnedAgent {
    const addRequest = (upstream: ClientRequest, options: unknown): void => {
      prepare(upstream);
      (this as unknown as Adds).addRequest(upstream, options);
    };
    return { keepAlive: true, protocol: 'http:', defaultPort: 80, addRequest };
  }

  override createConnection(_options: unknown, done?: (cause: Error | null, stream: Duplex) => void): undefined {
    this.connect().then(
      (stream) => {
        this.#open.add(stream);
        stream.once('close', () => this.#open.delete(stream));
        done?.(null, stream);
      },
      (cause: unknown) => done?.(cause as Error, undefined as unknown as Duplex),
    );
  }

  /**
   * Streams of the grant need be no sockets. An idle one is watched: who ends,
   * or speaks without having been asked, is asked no more.
   */
  override keepSocketAlive(stream: Duplex): boolean {
    if (stream.readableEnded || stream.destroyed) return false;
    const drop = (): void => void stream.destroy();
    this.#idle.set(stream, drop);
    stream.once('data', drop).once('end', drop);
    return true;
  }

  override reuseSocket(stream: Duplex, upstream: ClientRequest): void {
    const drop = this.#idle.get(stream);
    if (drop) stream.off('data', drop).off('end', drop);
    this.#idle.delete(stream);
    // Takes back what Node has put on idle ones; it wants a socket for that.
    const { ref = (): void => {} } = stream as { readonly ref?: () => void };
    super.reuseSocket(Object.assign(stream, { ref }), upstream);
  }

  override destroy(): void {
    super.destroy();
    for (const stream of this.#open) stream.destroy();
  }
}
