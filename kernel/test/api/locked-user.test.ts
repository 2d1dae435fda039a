import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import {
  createLock,
  deleteLock,
  getAuthority,
  getMe,
  getStatus,
  listRecordings,
  listResources,
  listSessions,
  updateUser,
} from '../../src/api/contract/index.js';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { Profile } from '../../src/cli/profile/profile.js';
import { generateUserKeys } from '../../src/cli/profile/keys.js';
import { writeLogin } from '../../src/cli/profile/write-login.js';
import { ls } from '../../src/cli/psh/ls.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { environment } from '../cli/support/environment.js';
import { reader, startLines } from '../cluster/line-world.js';

describe('a user whom a lock is about', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({
      roles: [reader(), reader('second')],
      users: { ann: { roles: ['reader'] }, bob: { roles: ['second'] }, eve: { roles: ['reader'] } },
    });
  });
  after(() => cluster[Symbol.asyncDispose]());

  async function locked<T>(target: { user?: string; role?: string }, run: () => Promise<T>): Promise<T> {
    const { id } = await cluster.admin.call(createLock, { target, message: 'laptop stolen' });
    await cluster.seen();
    try {
      return await run();
    } finally {
      await cluster.admin.call(deleteLock, { id });
      await cluster.seen();
    }
  }

  it('is told by psh ls that a lock is in force and why, and psh fails', async () => {
    const home = join(tmpdir(), `postern-locked-${process.pid}`);
    using _ = environment({ POSTERN_HOME: home, POSTERN_CLUSTER: undefined });
    try {
      const keys = generateUserKeys('ann');
      const login = await cluster.login('ann', {
        tlsPublicKey: keys.tls.publicKey,
        sshPublicKey: keys.openSsh.publicKey,
      });
      const proxy = { host: '127.0.0.1', port: cluster.port };
      await writeLogin(login, keys, proxy);
      assert.equal((await Profile.load()).data.user, 'ann');
      const cause: unknown = await locked({ user: 'ann' }, () => ls(undefined, { format: 'json' })).then(
        () => assert.fail('psh ls succeeded'),
        (error: unknown) => error,
      );
      const { code, message } = PosternError.from(cause);
      assert.equal(code, 'locked');
      assert.equal(message, 'a lock on user ann is in force: laptop stolen. Ask an administrator');
      assert.equal(exitCodeOf(cause), 1);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it('is refused by every call that needs a certificate, also where a role is locked', async () => {
    await using client = cluster.api(await cluster.login('bob'));
    const calls = [
      () => client.call(listResources, {}),
      () => client.call(listSessions, {}),
      () => client.call(listRecordings, {}),
      () => client.call(getStatus, {}),
      () => client.call(getMe, {}),
      () => client.call(getAuthority, { kind: 'db' }),
    ];
    for (const target of [{ user: 'bob' }, { role: 'second' }])
      await locked(target, async () => {
        for (const call of calls) await assert.rejects(call, { code: 'locked', message: /laptop stolen/ });
      });
    for (const call of calls) await call();
  });

  it('gets no certificate by logging in again', async () => {
    await locked({ role: 'second' }, () =>
      assert.rejects(cluster.login('bob'), { code: 'locked', message: /a lock on role second is in force: laptop/ }),
    );
    const refused = await cluster.event({ types: ['user.login_failed'] });
    assert.deepEqual([refused.fields['name'], refused.fields['reason']], ['bob', 'locked']);
    await cluster.login('bob');
  });

  it('does not show a lock to somebody who has only guessed a name', async () => {
    await locked({ user: 'eve' }, () =>
      assert.rejects(cluster.login('eve', { password: 'not the password' }), { code: 'unauthenticated' }),
    );
  });

  it('is refused likewise once the certificate is of an older generation, or the account disabled', async () => {
    await using client = cluster.api(await cluster.login('eve'));
    await cluster.admin.call(updateUser, { name: 'eve', roles: ['second'] });
    await cluster.seen();
    await assert.rejects(client.call(getMe, {}), { code: 'expired', message: /log in again/ });
    await cluster.admin.call(updateUser, { name: 'eve', disabled: true });
    await cluster.seen();
    await assert.rejects(client.call(listSessions, {}), { code: 'unauthenticated', message: /eve is disabled/ });
  });
});
