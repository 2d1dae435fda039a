import type { EtcdOptions } from '../../src/storage/etcd/options.js';
import { EtcdStore } from '../../src/storage/etcd/store.js';
import type { EtcdServer } from './etcd-server.js';
import { RemoteHarness } from './remote-harness.js';

let prefixes = 0;

/** Keys of its own in an etcd. Leases outlive the tests, so that revisions are predictable. */
export function openEtcd(
  server: EtcdServer,
  more: Partial<EtcdOptions> = {},
): Promise<RemoteHarness<EtcdStore, EtcdOptions>> {
  const prefix = `test/${prefixes++}/`;
  return RemoteHarness.open((now) => {
    const options = { endpoints: [server.endpoint], prefix, now, leaseGraceSeconds: 3_600, ...more };
    return (changed) => EtcdStore.open({ ...options, ...changed });
  });
}
