import { token } from '@postern/plugin-sdk';

/** A session that can be asked to cancel what it runs. */
export interface Cancellable {
  readonly user: string;
  readonly resource: string;
  /** Passes a request on if it bears the session's key. */
  cancel(secret: Buffer, via: 'plain' | 'tls'): Promise<void>;
}

/**
 * The sessions of this agent, by the number that clients know as the process
 * id: a client that cancels inside TLS does so on a connection of its own.
 */
export class LiveSessions {
  readonly #sessions = new Map<number, Cancellable>();

  add(connection: number, session: Cancellable): void {
    this.#sessions.set(connection, session);
  }

  remove(connection: number, session: Cancellable): void {
    if (this.#sessions.get(connection) === session) this.#sessions.delete(connection);
  }

  /** The session, if it belongs to the same user at the same resource: nobody else may even try a key. */
  find(connection: number, user: string, resource: string): Cancellable | undefined {
    const session = this.#sessions.get(connection);
    return session?.user === user && session.resource === resource ? session : undefined;
  }
}

export const LiveSessionsToken = token<LiveSessions>('postgres.LiveSessions');
