import { timingSafeEqual } from 'node:crypto';
import type { SessionContext } from '@postern/plugin-sdk';
import type { Cancellable } from './live-sessions.js';
import type { Postgres } from './protocol.js';
import { cancelUpstream, type DialOptions } from './upstream.js';

/** The two keys of a session: the client's, which we made, and the server's, which the client never sees. */
export interface CancelKeys {
  readonly client: Buffer;
  readonly server: Buffer;
}

/** A session that is logged in at the database. */
export class RunningSession implements Cancellable {
  readonly user: string;
  readonly resource: string;
  #cancelling = false;

  constructor(
    private readonly context: SessionContext<Postgres>,
    private readonly dial: DialOptions,
    private readonly keys: CancelKeys | undefined,
  ) {
    this.user = dial.grant.identity.user;
    this.resource = context.resource.name;
  }

  async cancel(secret: Buffer, via: 'plain' | 'tls'): Promise<void> {
    const { keys } = this;
    if (!keys || secret.length !== keys.client.length || !timingSafeEqual(secret, keys.client)) {
      this.context.log.debug('a request to cancel did not bear the key of the session', { via });
      return;
    }
    // The server takes one at a time; whoever holds the key down gains nothing by it.
    if (this.#cancelling) return;
    this.#cancelling = true;
    try {
      await this.context.audit.emit('cancel', { via });
      await cancelUpstream(this.dial, keys.server);
    } finally {
      this.#cancelling = false;
    }
  }
}
