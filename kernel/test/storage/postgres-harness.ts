import type { PostgresOptions } from '../../src/storage/postgres/options.js';
import { PostgresStore } from '../../src/storage/postgres/store.js';
import type { PostgresServer } from './postgres-server.js';
import { RemoteHarness } from './remote-harness.js';

let schemas = 0;

/** Sweeping is left to the harness, so that revisions are predictable. */
const never = 2 ** 31 - 1;

/** A schema of its own on a server. */
export function openPostgres(
  server: PostgresServer,
  more: Partial<PostgresOptions> = {},
): Promise<RemoteHarness<PostgresStore, PostgresOptions>> {
  const schema = `test_${schemas++}`;
  return RemoteHarness.open((now) => {
    const options = { ...server.options, schema, now, sweepIntervalMs: never, ...more };
    return (changed) => PostgresStore.open({ ...options, ...changed });
  });
}
