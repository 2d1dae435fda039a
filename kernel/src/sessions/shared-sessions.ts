import { PosternError, type AnyProtocol, type Logger } from '@postern/plugin-sdk';
import type { CertifiedIdentity } from '../certificates/index.js';
import { holderOf } from './holder.js';
import { ownSeats, type Seats } from './seats.js';
import { SharedSession } from './shared-session.js';

export interface Arrival {
  readonly protocol: AnyProtocol;
  readonly resource: string;
  /** Of a valid certificate. */
  readonly identity: CertifiedIdentity | undefined;
  readonly source: string;
}

/** The sessions that outlive their connections: by resource, holder and address. */
export class SharedSessions implements AsyncDisposable {
  readonly #sessions = new Map<string, SharedSession>();

  constructor(private readonly log: Logger) {}

  /** Where a connection finds its session. */
  seatsFor({ protocol, resource, identity, source }: Arrival): Seats {
    const { id: kind, session: span } = protocol;
    if (typeof span !== 'object' || !identity) return ownSeats;
    const sessions = this.#sessions;
    const key = JSON.stringify([kind, resource, holderOf(identity), source]);
    return {
      get taken() {
        return sessions.has(key);
      },
      take: (begin) => (sessions.get(key) ?? this.#begin(key, begin, span.idleSeconds * 1000)).enter(),
    };
  }

  /** Ends those that have no connection left, and those of whose connections nobody has told. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.end()));
  }

  #begin(key: string, begin: ConstructorParameters<typeof SharedSession>[0], idleMs: number): SharedSession {
    const made: SharedSession = new SharedSession(begin, {
      idleMs,
      gone: () => {
        if (this.#sessions.get(key) === made) this.#sessions.delete(key);
      },
      failed: (cause) =>
        this.log.error('the end of a session could not be recorded', { cause: PosternError.from(cause).message }),
    });
    this.#sessions.set(key, made);
    return made;
  }
}
