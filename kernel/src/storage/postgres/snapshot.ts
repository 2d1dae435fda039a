import type { Pool, PoolClient } from 'pg';
import { snapshotPage, type Snapshot } from '../snapshot.js';
import type { Entry } from '../store.js';
import { failure } from './connection.js';
import type { PostgresTables } from './tables.js';

/** A transaction that sees the tables as they were when it began. */
export async function postgresSnapshot(pool: Pool, tables: PostgresTables, now: Date): Promise<Snapshot> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw failure('cannot read the storage', cause);
  });
  // The pool listens to idle ones alone. What is asked next says that the connection is gone.
  client.on('error', ignore);
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // Whoever writes a backup to a slow place is idle now and then.
    await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    const { revision } = await tables.head(client);
    return {
      revision,
      async *pages(): AsyncGenerator<readonly Entry[], void, undefined> {
        for (let after = ''; ;) {
          const page = await tables.range(client, '', { limit: snapshotPage, after }, now.getTime());
          if (page.length > 0) yield page;
          if (page.length < snapshotPage) return;
          after = page.at(-1)?.key ?? '';
        }
      },
      async [Symbol.asyncDispose]() {
        const broken = await client.query('ROLLBACK').then(
          () => false,
          () => true,
        );
        giveBack(client, broken);
      },
    };
  } catch (cause) {
    giveBack(client, true);
    throw failure('cannot read the storage', cause);
  }
}

const ignore = (): void => {};

function giveBack(client: PoolClient, broken: boolean): void {
  client.release(broken);
  client.off('error', ignore);
}
