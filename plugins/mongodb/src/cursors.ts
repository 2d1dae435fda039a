import { PosternError, token, type Token } from '@postern/plugin-sdk';
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

  /** Keeps a cursor of `user`. Rejects with `limit_exceeded` where there are `limit` already. */
  open(user: string, id: string, cursor: OpenCursor, limit: number): void {
    if (this.#cursors.size >= limit)
      throw PosternError.public('limit_exceeded', `this session has ${limit} open cursors; close some`);
    this.#cursors.set(`${id} ${user}`, cursor);
  }

  find(user: string, id: string): OpenCursor | undefined {
    return this.#cursors.get(`${id} ${user}`);
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
