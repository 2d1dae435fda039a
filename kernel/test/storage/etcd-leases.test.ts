import assert from 'node:assert/strict';
import { Gateway } from '../../src/storage/etcd/gateway.js';
import { EtcdStore } from '../../src/storage/etcd/store.js';
import { until } from '../../../test/support/cluster.js';
import { EtcdServer, needEtcd } from './etcd-server.js';

describe('leases of etcd', function () {
  this.timeout(60_000);
  let server: EtcdServer;
  before(async function () {
    server = await EtcdServer.start(needEtcd(this), ['--unsafe-no-fsync']);
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('are given back when nothing has them any more, and not before', async () => {
    const options = { endpoints: [server.endpoint], prefix: 'leased/' };
    await using store = await EtcdStore.open(options);
    const gateway = new Gateway(options);
    const count = async (): Promise<number> =>
      (await gateway.call<{ leases?: readonly unknown[] }>('/v3/lease/leases', {})).leases?.length ?? 0;
    const later = (minutes: number): Date => new Date(Date.now() + minutes * 60_000);
    const shared = later(60);
    await store.commit({ put: ['one', 'two'].map((key) => ({ key, value: 'first', expires: shared })) });
    assert.equal(await count(), 1);
    for (let turn = 0; turn < 20; turn++)
      await store.commit({ put: [{ key: 'one', value: String(turn), expires: later(61 + turn) }] });
    await until(async () => (await count()) === 2, 15_000);
    assert.equal((await store.get('two'))?.value, 'first');
    assert.equal((await store.get('one'))?.value, '19');
    await store.commit({ delete: ['one', 'two'] });
    await until(async () => (await count()) === 0, 15_000);
    gateway.close();
  });
});
