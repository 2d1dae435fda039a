import type { Denial, Identity } from '@postern/plugin-sdk';

/** A session that runs in this process. */
export interface LiveSession {
  readonly id: string;
  readonly identity: Identity;
  readonly kind: string;
  readonly resource: string;
  readonly ask: Readonly<Record<string, unknown>>;
  readonly source: string;
  readonly started: Date;
  /** Ends it; the client is told why. Idempotent. */
  cut(denial: Denial): void;
}

/** The sessions that run in this process. */
export class LiveSessions implements Iterable<LiveSession> {
  readonly #sessions = new Map<string, LiveSession>();

  get size(): number {
    return this.#sessions.size;
  }

  add(session: LiveSession): void {
    this.#sessions.set(session.id, session);
  }

  remove(id: string): void {
    this.#sessions.delete(id);
  }

  get(id: string): LiveSession | undefined {
    return this.#sessions.get(id);
  }

  countOf(user: string): number {
    let count = 0;
    for (const { identity } of this.#sessions.values()) if (identity.user === user) count++;
    return count;
  }

  /** Asks about each session again, and cuts those for which the answer is a denial. */
  review(decide: (session: LiveSession) => Denial | undefined): void {
    for (const session of this.#sessions.values()) {
      const denial = decide(session);
      if (denial) session.cut(denial);
    }
  }

  [Symbol.iterator](): Iterator<LiveSession> {
    return this.#sessions.values();
  }
}
