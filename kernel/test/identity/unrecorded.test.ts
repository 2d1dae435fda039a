import assert from 'node:assert/strict';
import { PosternError, type Hold } from '@postern/plugin-sdk';
import { createUser, deleteUser, listUsers, resetUser, unlockUser, updateUser } from '../../src/api/contract/index.js';
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

describe('what does not happen', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines();
  });
  after(() => cluster[Symbol.asyncDispose]());

  it('is not in the audit log: nothing is created twice, changed, reset or deleted that is not there', async () => {
    const before = await cluster.events();
    await assert.rejects(cluster.admin.call(createUser, { name: 'ann', roles: ['reader'] }), {
      code: 'already_exists',
    });
    const missing = { code: 'not_found' };
    await assert.rejects(cluster.admin.call(updateUser, { name: 'zoe', roles: ['reader'] }), missing);
    await assert.rejects(cluster.admin.call(resetUser, { name: 'zoe' }), missing);
    await assert.rejects(cluster.admin.call(unlockUser, { name: 'zoe' }), missing);
    await assert.rejects(cluster.admin.call(deleteUser, { name: 'zoe' }), missing);
    assert.deepEqual(await cluster.events(), before);
  });
});
