import assert from 'node:assert/strict';
import { PosternError, type Hold } from '@postern/plugin-sdk';
import { createUser, listUsers, resetUser, updateUser } from '../../src/api/contract/index.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { reader, startLines } from '../cluster/line-world.js';

describe('what the audit log cannot take', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({ roles: [reader(), reader('second')] });
  });
  after(() => cluster[Symbol.asyncDispose]());

  it('does not happen: no user, no change, no certificate', async () => {
    const { emitter } = cluster.running.state.trail;
    const emit = emitter.emit.bind(emitter);
    const before = await cluster.admin.call(listUsers, {});
    emitter.emit = (): Hold => {
      throw new PosternError('audit_unavailable', 'no space left');
    };
    try {
      const refused = { code: 'audit_unavailable' };
      await assert.rejects(cluster.admin.call(createUser, { name: 'zoe', roles: ['reader'] }), refused);
      await assert.rejects(cluster.admin.call(updateUser, { name: 'ann', roles: ['second'] }), refused);
      await assert.rejects(cluster.admin.call(resetUser, { name: 'ann' }), refused);
      await assert.rejects(cluster.login('ann'), refused);
    } finally {
      emitter.emit = emit;
    }
    assert.deepEqual(await cluster.admin.call(listUsers, {}), before);
    await cluster.login('ann');
  });
});
