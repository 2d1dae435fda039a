import { token, type Token } from '@postern/plugin-sdk';
import type { MongodbAsk } from './protocol.js';

/** What a cursor shows, by what it was asked for when it was opened. */
export interface OpenCursor {
  readonly asks: readonly MongodbAsk[];
  /** As the server calls what it reads: `database.collection`. */
  readonly namespace: string | undefined;
}

/** The open cursors of one session, which all its connections share: drivers continue on whichever is free. */
export class SessionCursors {
  readonly #cursors = new Map<string, OpenCursor>();
  connections = 0;

  /**
   * Keeps a cursor of `user`. Where there are `limit` already, that is forgotten
   * which was used longest ago: servers close by themselves what nobody reads,
   * and tell nobody.
   */
  open(user: string, id: string, cursor: OpenCursor, limit: number): void {
    this.#cursors.set(`${id} ${user}`, cursor);
    for (const oldest of this.#cursors.keys()) {
      if (this.#cursors.size <= limit) return;
      this.#cursors.delete(oldest);
    }
  }

  /** A cursor that is about to be used. */
  find(user: string, id: string): OpenCursor | undefined {
    const key = `${id} ${user}`;
    const found = this.#cursors.get(key);
    if (!found) return undefined;
    this.#cursors.delete(key);
    this.#cursors.set(key, found);
    return found;
  }

  close(user: string, id: string): void {
    this.#cursors.delete(`${id} ${user}`);
  }
}

/** The cursors of all sessions of an agent. */
export class Cursors {
  readonly #sessions = new Map<string, SessionCursors>();

  /** Those of a session, for one of its connections; hand them back with {@link leave}. */
  join(session: string): SessionCursors {
    const cursors = this.#sessions.get(session) ?? new SessionCursors();
    this.#sessions.set(session, cursors);
    cursors.connections += 1;
    return cursors;
  }

  leave(session: string): void {
    const cursors = this.#sessions.get(session);
    if (cursors && (cursors.connections -= 1) <= 0) this.#sessions.delete(session);
  }
}

export const CursorsToken: Token<Cursors> = token<Cursors>('mongodb:Cursors');
