import type { Denial } from '@postern/plugin-sdk';
import type { CertifiedIdentity } from '../certificates/index.js';

/** A session that runs in this process. */
export interface LiveSession {
  readonly id: string;
  readonly identity: CertifiedIdentity;
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
  /** How many sessions of each user are being started. */
  readonly #entering = new Map<string, number>();

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

  /**
   * Keeps a place for one more session of a user until it is released, which is
   * when the session was added or was not. `undefined` where the user has `most`
   * already, those that are just being started among them.
   */
  enter(user: string, most: number): { release(): void } | undefined {
    const entering = this.#entering.get(user) ?? 0;
    if (entering + this.#countOf(user) >= most) return undefined;
    this.#entering.set(user, entering + 1);
    let held = true;
    return {
      release: () => {
        if (held) this.#leave(user);
        held = false;
      },
    };
  }

  /** Asks about each session again, and cuts those for which the answer is a denial. */
  review(decide: (session: LiveSession) => Denial | undefined): void {
    for (const session of this.#sessions.values()) {
      const denial = decide(session);
      if (denial) session.cut(denial);
    }
  }

  #countOf(user: string): number {
    let count = 0;
    for (const { identity } of this.#sessions.values()) if (identity.user === user) count++;
    return count;
  }

  #leave(user: string): void {
    const left = (this.#entering.get(user) ?? 0) - 1;
    if (left > 0) this.#entering.set(user, left);
    else this.#entering.delete(user);
  }

  [Symbol.iterator](): Iterator<LiveSession> {
    return this.#sessions.values();
  }
}
