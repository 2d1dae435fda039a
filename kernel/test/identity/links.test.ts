import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import type { ApiClient } from '../../src/api/index.js';
import { acceptInvite, createUser, getInvite, listUsers, resetUser } from '../../src/api/contract/index.js';
import { totpCode } from '../../src/identity/index.js';
import { verifyTotp } from '../../src/identity/totp.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { LineProcess } from '../cluster/line-process.js';
import { reader, startLines } from '../cluster/line-world.js';

const hour = 3_600_000;
const password = 'a password of some length';

describe('a link that lets somebody choose a password', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({ roles: [reader()], users: {} });
  });
  after(() => cluster[Symbol.asyncDispose]());

  const invite = async (name: string): Promise<string> =>
    (await cluster.admin.call(createUser, { name, roles: ['reader'] })).token;
  const gone = { code: 'not_found', message: /used before or is too old/ };

  it('works once, also for two who use it at the same time', async () => {
    const token = await invite('once');
    const two = await Promise.allSettled([
      cluster.admin.call(acceptInvite, { token, password }),
      cluster.admin.call(acceptInvite, { token, password: 'the password of an attacker' }),
    ]);
    assert.deepEqual(two.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    await assert.rejects(cluster.admin.call(acceptInvite, { token, password }), gone);
    await assert.rejects(cluster.admin.call(getInvite, { token }), gone);
  });

  it('is worth nothing when it is guessed, replaced or too old', async () => {
    const first = await invite('late');
    await assert.rejects(cluster.admin.call(acceptInvite, { token: 'A'.repeat(32), password }), gone);
    const { token } = await cluster.admin.call(resetUser, { name: 'late' });
    await assert.rejects(cluster.admin.call(acceptInvite, { token: first, password }), gone);
    cluster.clock.advance(1.1 * hour);
    await assert.rejects(cluster.admin.call(acceptInvite, { token, password }), gone);
  });

  it('leaves no password, seed or token in the store, the audit log or the log', async () => {
    const token = await invite('secret');
    const { totp } = await cluster.admin.call(getInvite, { token });
    const code = totpCode(totp.secret, cluster.clock.now());
    await cluster.admin.call(acceptInvite, { token, password, code });
    cluster.clock.advance(60_000);
    await cluster.login('secret', { password, code: totpCode(totp.secret, cluster.clock.now()) });
    const kept = [JSON.stringify(cluster.log), JSON.stringify(await cluster.events())];
    const files = await readdir(join(cluster.directory, 'data'), { recursive: true, withFileTypes: true });
    for (const file of files) if (file.isFile()) kept.push(await readFile(join(file.parentPath, file.name), 'latin1'));
    for (const secret of [password, token, totp.secret, '$argon2id$', 'BEGIN PRIVATE KEY'])
      assert.equal(kept.filter((text) => text.includes(secret)).length, 0, secret.slice(0, 4));
  });

  it('enrols a second factor whose codes work once each, and failures of which count', async () => {
    const token = await invite('codes');
    const { totp } = await cluster.admin.call(getInvite, { token });
    const now = (): string => totpCode(totp.secret, cluster.clock.now());
    const code = now();
    await cluster.admin.call(acceptInvite, { token, password, code });
    await assert.rejects(cluster.login('codes', { password }), { code: 'mfa_required' });
    await assert.rejects(cluster.login('codes', { password, code }), { code: 'unauthenticated' });
    cluster.clock.advance(90_000);
    const both = [cluster.login('codes', { password, code: now() }), cluster.login('codes', { password, code: now() })];
    assert.deepEqual((await Promise.allSettled(both)).map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    cluster.clock.advance(90_000);
    for (let index = 0; index < 5; index++)
      await assert.rejects(cluster.login('codes', { password, code: 'no' }), { code: /unauthenticated|locked/ });
    await assert.rejects(cluster.login('codes', { password, code: now() }), { code: 'locked' });
  });
});

describe('a link that is used when the process ends', () => {
  it('is used up with the password set, or is good and nothing is set, wherever it ends', async () => {
    await using cluster = await startLines({ roles: [reader()], users: {} });
    const { store } = cluster.running.state;
    const commit = store.commit.bind(store);
    let wasAccepted = false;
    for (let commits = 0; !wasAccepted; commits++) {
      const name = `user${commits}`;
      const { token } = await cluster.admin.call(createUser, { name, roles: ['reader'] });
      let left = commits;
      store.commit = async (one) => {
        if (left === 0) throw new PosternError('unavailable', 'the process ended here');
        left -= 1;
        return commit(one);
      };
      const accepted = await cluster.admin.call(acceptInvite, { token, password }).then(
        () => true,
        () => false,
      );
      store.commit = commit;
      assert.equal(await isConsistent(cluster.admin, { name, token }), accepted, `after ${commits} commits`);
      wasAccepted = accepted;
    }
  });

  it('is so after kill -9', async function () {
    this.timeout(300_000);
    const directory = await mkdtemp(join(tmpdir(), 'postern-links-'));
    try {
      const links: { name: string; token: string }[] = [];
      {
        await using first = await LineProcess.start({ directory });
        await first.fill();
        for (let index = 0; index < 20; index++) {
          const name = `user${index}`;
          links.push({ name, token: (await first.admin.call(createUser, { name, roles: ['reader'] })).token });
        }
        const answers = links.map(({ token }) => first.admin.call(acceptInvite, { token, password }));
        await Promise.any(answers);
        first.signal('SIGKILL');
        await Promise.allSettled(answers);
      }
      await using second = await LineProcess.start({ directory });
      for (const link of links) await isConsistent(second.admin, link);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  /** Whether the link was used. Fails where it is half used. */
  async function isConsistent(admin: ApiClient, link: { readonly name: string; readonly token: string }) {
    const user = (await admin.call(listUsers, {})).find(({ name }) => name === link.name);
    const isGood = await admin.call(getInvite, { token: link.token }).then(
      () => true,
      () => false,
    );
    assert.equal(isGood, user?.activated === false, `${link.name} is half there`);
    return !isGood;
  }
});

describe('a code of RFC 6238', () => {
  const seed = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  const vectors = [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ] as const;
  for (const [at, code] of vectors)
    it(`is ${code} at ${at}, and a step away from it, and not two`, () => {
      const check = (seconds: number, last = 0) => verifyTotp(seed, code, new Date((at + seconds) * 1000), last);
      const step = Math.floor(at / 30);
      assert.deepEqual([check(0), check(30), check(-30)], [step, step, step]);
      assert.deepEqual([check(60), check(0, step)], [undefined, undefined]);
    });
});
