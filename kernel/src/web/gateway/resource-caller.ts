import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import { routeLabel, routeName, type Dialer, type LiveConnections } from '../../tunnels/index.js';
import type { WebSessions } from '../sessions/index.js';
import { CertificateCache, type Visitor, type VisitorCertificate } from './certificate-cache.js';
import type { SocketPair, SocketPairs } from './socket-pairs.js';

export interface ResourceCallerOptions {
  readonly cluster: string;
  readonly sessions: WebSessions;
  readonly agents: Dialer;
  readonly connections: LiveConnections;
  readonly pairs: Pick<SocketPairs, 'make'>;
  /** PEM: who certifies the servers of agents. */
  authorities(): readonly string[];
  readonly now: () => Date;
}

export interface ResourceCall extends Visitor {
  /** The one protocol that is offered in ALPN; an agent that does not take it is left. */
  readonly alpn: string;
  /** Whether the visitor's session is still there: asked when all is set up. */
  stillThere(): Promise<boolean>;
}

/** How long an agent may take to come, and its handshake. */
const dialMs = 20_000;

/** Connections that one session may have at once, all of its tabs together. */
const maxPerSession = 256;

/** How often a connection says that its session is in use: well within the time after which an idle one ends. */
const useMs = 300_000;

/** How long an agent has for its last word on a connection whose session has ended. */
const lastWordMs = 500;

/** What one session has. */
interface SessionStreams {
  readonly open: Set<tls.TLSSocket>;
  /** Those that are being made. */
  coming: number;
}

/**
 * Calls agents in the name of browsers, by mutual TLS with certificates that
 * the Auth Service gave for the purpose. When a session ends, its connections
 * are closed: by their agents at once, who can say why, and here soon after.
 */
export class ResourceCaller implements Disposable {
  readonly #certificates: CertificateCache;
  readonly #sessions = new Map<string, SessionStreams>();
  readonly #off: () => void;

  constructor(private readonly options: ResourceCallerOptions) {
    this.#certificates = new CertificateCache(options.sessions, options.now);
    this.#off = options.sessions.onEnd((session) => this.#end(session));
  }

  /**
   * Resolves with a stream to the resource after the handshake. Rejects with what
   * the Auth Service says of the visitor, `not_found` and `unavailable` where no
   * agent is there, and `rate_limited`.
   */
  async call(call: ResourceCall): Promise<tls.TLSSocket> {
    const certificate = await this.#certificates.get(call);
    const { session } = certificate;
    const stream = await this.#seated(session, () => this.#connect(call, certificate));
    keepInUse(stream, call);
    // From here on an end closes the stream; one that came before is found now.
    const there = await call.stillThere().catch((cause: unknown) => {
      // Nobody else knows of the stream yet.
      stream.destroy();
      throw cause;
    });
    if (!there) {
      stream.destroy();
      this.#end(session);
      throw PosternError.public('unauthenticated', 'you are not logged in (any more)');
    }
    return stream;
  }

  [Symbol.dispose](): void {
    this.#off();
    for (const { open } of this.#sessions.values()) for (const stream of open) stream.destroy();
  }

  async #connect(call: ResourceCall, { certificate, key }: VisitorCertificate): Promise<tls.TLSSocket> {
    const pair = await this.options.pairs.make();
    try {
      await this.#dial(call, pair);
      const servername = this.#nameOf(call);
      const stream = tls.connect({
        socket: pair.near,
        servername,
        ca: [...this.options.authorities()],
        cert: certificate,
        key,
        minVersion: 'TLSv1.3',
        ALPNProtocols: [call.alpn],
      });
      await secured(stream);
      if (stream.alpnProtocol === call.alpn) return stream;
      throw PosternError.public('not_found', 'this resource is not for browsers');
    } catch (cause) {
      pair.near.destroy();
      pair.far.destroy();
      throw cause;
    }
  }

  async #dial(call: ResourceCall, { far }: SocketPair): Promise<void> {
    const { kind, name } = call.resource;
    const live = this.options.connections.open();
    far.once('close', () => live.close());
    const made = {
      connection: live.id,
      source: call.address,
      name: this.#nameOf(call),
      route: { kind: 'agent', protocol: kind, label: routeLabel(name) },
      hello: { sni: this.#nameOf(call), alpn: [call.alpn] },
    } as const;
    const take = await this.options.agents.dial(made, AbortSignal.timeout(dialMs));
    take({ ...made, socket: far, onSignal: (listener) => live.onSignal(listener) });
  }

  #nameOf({ resource: { kind, name } }: ResourceCall): string {
    return routeName(this.options.cluster, kind, name);
  }

  /** Makes a connection for a session that has not too many, and keeps it until it closes. */
  async #seated(session: string, connect: () => Promise<tls.TLSSocket>): Promise<tls.TLSSocket> {
    const streams = this.#sessions.get(session) ?? { open: new Set(), coming: 0 };
    if (streams.open.size + streams.coming >= maxPerSession)
      throw PosternError.public('rate_limited', 'this session has too many connections');
    this.#sessions.set(session, streams);
    const forget = (): void => {
      if (streams.open.size + streams.coming === 0) this.#sessions.delete(session);
    };
    streams.coming += 1;
    try {
      const stream = await connect();
      streams.open.add(stream);
      stream.once('close', () => {
        streams.open.delete(stream);
        forget();
      });
      return stream;
    } finally {
      streams.coming -= 1;
      forget();
    }
  }

  #end(session: string): void {
    this.#certificates.forget(session);
    const open = [...(this.#sessions.get(session)?.open ?? [])];
    setTimeout(() => {
      for (const stream of open) stream.destroy();
    }, lastWordMs).unref();
  }
}

/** An open connection is use of its session: who watches something and asks for nothing has not gone. */
function keepInUse(stream: tls.TLSSocket, call: ResourceCall): void {
  const timer = setInterval(() => {
    call.stillThere().then(
      (there) => void (there || stream.destroy()),
      // Who cannot be asked now is asked again.
      () => {},
    );
  }, useMs).unref();
  stream.once('close', () => clearInterval(timer));
}

function secured(stream: tls.TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: Error): void => {
      clearTimeout(timer);
      stream.destroy();
      reject(
        new PosternError('unavailable', `the agent cannot be spoken to: ${cause?.message ?? 'it hung up'}`, { cause }),
      );
    };
    const timer = setTimeout(() => fail(new Error('the handshake took too long')), dialMs).unref();
    stream.on('error', fail);
    stream.once('close', () => fail());
    stream.once('secureConnect', () => {
      clearTimeout(timer);
      stream.removeAllListeners('close').off('error', fail);
      stream.on('error', () => {});
      resolve();
    });
  });
}
