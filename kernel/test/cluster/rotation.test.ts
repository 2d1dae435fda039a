import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { getKeySet, listAuthorities, rotateAuthority, type OutputOf } from '../../src/api/contract/index.js';
import { parseVerifierKey, verifyLog } from '../../src/audit/index.js';
import type { AuthorityKind, RotationStep } from '../../src/certificates/index.js';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import { hello } from './line-client.js';
import { sessionOf, startLines } from './line-world.js';

const hour = 3_600_000;

describe('the rotation of an authority of a cluster', function () {
  this.timeout(30_000);
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await startLines();
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  const take = (kind: AuthorityKind, step: RotationStep, more: { force?: boolean; grace?: number } = {}) =>
    cluster.admin.call(rotateAuthority, { kind, step, ...more });

  async function stateOf(kind: AuthorityKind): Promise<OutputOf<typeof listAuthorities>[number]> {
    const found = (await cluster.admin.call(listAuthorities, {})).find((one) => one.kind === kind);
    assert.ok(found);
    return found;
  }

  /** The certificate that a name of the cluster shows, as somebody sees it who trusts these authorities alone. */
  async function shown(hostname: string, ca: string): Promise<string> {
    const socket = await cluster.open();
    const stream = tls.connect({ socket, servername: hostname, ca, minVersion: 'TLSv1.3' });
    const said = await new Promise<string>((resolve) => {
      stream.once('secureConnect', () => resolve('believed'));
      stream.once('error', (cause: Error) => resolve(cause.message));
    });
    stream.destroy();
    return said;
  }

  it('of users is noticed by nobody, and then the certificates of the old key are worth nothing', async () => {
    const before = await cluster.login('ann');
    const [held] = await hello(cluster, before);
    const logins = [before];
    for (const step of ['start', 'advance', 'advance'] as const) {
      await take('user', step);
      logins.push(await cluster.login('ann'));
      for (const login of logins) {
        const [client, answer] = await hello(cluster, login);
        assert.equal(answer, 'ok hello');
        client[Symbol.dispose]();
      }
      assert.match(await sessionOf(held), /^\w+/);
    }
    await take('user', 'advance', { force: true });
    const [old, refused] = await hello(cluster, before);
    assert.match(refused ?? '', /^no unauthenticated /);
    const [fresh, answer] = await hello(cluster, logins.at(-1));
    assert.equal(answer, 'ok hello');
    assert.match(await sessionOf(held), /^\w+/);
    for (const client of [old, fresh, held]) client[Symbol.dispose]();
    const events = await cluster.events({ types: ['authority.rotated'] });
    assert.deepEqual(
      events.map(({ fields }) => [fields['from'], fields['to']]),
      [
        ['standby', 'init'],
        ['init', 'update_clients'],
        ['update_clients', 'update_servers'],
        ['update_servers', 'standby'],
      ],
    );
  });

  it('of hosts renews what every service and resource shows, before the old key is forgotten', async () => {
    const names = [`auth.${cluster.cluster}`, cluster.cluster, cluster.hostname('lines', 'one')];
    const { view, authorities } = cluster.running.state;
    const old = cluster.authorities;
    await take('host', 'start');
    const [, renewed = ''] = view.bundle('host').x509;
    await take('host', 'advance');
    for (const name of names) assert.equal(await shown(name, old), 'believed');
    await take('host', 'advance', { force: true });
    await until(() => authorities.lagging.length === 0);
    for (const name of names) {
      assert.equal(await shown(name, renewed), 'believed');
      assert.match(await shown(name, old), /unable to|self.signed/);
    }
    await take('host', 'advance');
    assert.deepEqual(view.bundle('host').x509, [renewed]);
    for (const name of names) assert.equal(await shown(name, renewed), 'believed');
  });

  it('waits until users have logged in again, and says until when', async () => {
    await take('host', 'start');
    await take('host', 'advance');
    await assert.rejects(take('host', 'advance'), /users who logged in before .* \(until 20.*--force/);
    const { blockers } = await stateOf('host');
    assert.equal(blockers.length, 1);
    cluster.clock.advance(31 * hour);
    assert.deepEqual((await stateOf('host')).blockers, []);
    assert.equal((await take('host', 'advance')).phase, 'update_servers');
  });

  it('asks for what only an operator can do, and records that somebody insisted', async () => {
    await take('db_client', 'start');
    await assert.rejects(take('db_client', 'advance'), /database servers must trust the new key/);
    await take('db_client', 'advance', { force: true });
    const [, event] = await cluster.events({ types: ['authority.rotated'] });
    assert.match(JSON.stringify(event?.fields['against']), /database servers/);
  });

  it('goes on by itself where it was given a grace period, and not too early', async () => {
    const { rotation } = cluster.running.auth;
    await take('jwt', 'start', { grace: 2 * 3600 });
    assert.equal((await cluster.api().call(getKeySet, {})).keys.length, 2);
    const phases: string[] = [];
    for (let turn = 0; turn < 9; turn++) {
      await rotation.tick();
      phases.push((await stateOf('jwt')).phase);
      cluster.clock.advance(hour);
    }
    const twice = ['init', 'update_clients', 'update_servers'].flatMap((phase) => [phase, phase]);
    assert.deepEqual(phases, [...twice, 'standby', 'standby', 'standby']);
    assert.equal((await cluster.api().call(getKeySet, {})).keys.length, 1);
  });

  it('is taken back: the old key signs again, and nobody who came meanwhile is lost before the end', async () => {
    await take('user', 'start');
    await take('user', 'advance');
    const meanwhile = await cluster.login('ann');
    const { active } = await take('user', 'rollback');
    const [client, answer] = await hello(cluster, meanwhile);
    assert.equal(answer, 'ok hello');
    client[Symbol.dispose]();
    assert.deepEqual((await stateOf('user')).active, active);
    await assert.rejects(take('user', 'advance'), /in use until they end/);
  });

  it('is not told of in the log where it did not happen', async () => {
    await assert.rejects(take('user', 'rollback'), /no rotation/);
    await assert.rejects(take('user', 'advance'), /not being rotated/);
    await take('user', 'start');
    await assert.rejects(take('user', 'start'), /in phase init/);
    assert.equal((await cluster.events({ types: ['authority.rotated'] })).length, 1);
  });

  it('is followed as soon as the store answers again, by a process whose store was away', async () => {
    const { store, authorities, issuer } = cluster.running.state;
    await take('jwt', 'start');
    const get = store.get.bind(store);
    store.get = (key) => (key.startsWith('/sealed/') ? Promise.reject(new Error('the store is away')) : get(key));
    try {
      await assert.rejects(take('jwt', 'advance'));
      assert.notDeepEqual(issuer.keySet('jwt').active, (await stateOf('jwt')).active);
    } finally {
      store.get = get;
    }
    await until(async () => issuer.keySet('jwt').active[0] === (await stateOf('jwt')).active[0], 20_000);
    await authorities.apply('jwt');
  });

  it('is for administrators alone', async () => {
    const ann = cluster.api(await cluster.login('ann'));
    await assert.rejects(ann.call(listAuthorities, {}), /authority/);
    await assert.rejects(ann.call(rotateAuthority, { kind: 'user', step: 'start' }), /authority/);
    await cluster.event({ types: ['api.denied'] });
    assert.equal((await stateOf('user')).phase, 'standby');
  });
});

describe('an audit log', function () {
  this.timeout(30_000);
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-rotation-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** What `postern audit verify --since` finds, by the keys that the process has left; resolves with how many those are. */
  async function verify(cluster: TestCluster, since: Buffer): Promise<number> {
    const { auditLog, authorities, directory: data } = cluster.running.state;
    await auditLog.checkpoint();
    const lines = (await readFile(data.auditVerifiers, 'utf8')).trim().split('\n');
    assert.ok(lines.includes(authorities.auditVerifier));
    const keys = lines.map(parseVerifierKey);
    const { ok, problems } = await verifyLog({ directory: auditLog.directory, keys, since: [since] });
    assert.ok(ok, JSON.stringify(problems));
    return lines.length;
  }

  it('opens after a rotation that was taken back, though a checkpoint is of the key that is not to be', async () => {
    const first = await startLines({ data: directory });
    for (const step of ['start', 'advance'] as const) await first.admin.call(rotateAuthority, { kind: 'audit', step });
    const kept = await first.running.state.auditLog.checkpoint();
    for (const step of ['rollback', 'advance'] as const)
      await first.admin.call(rotateAuthority, { kind: 'audit', step });
    await verify(first, kept);
    const { auditLog } = first.running.state;
    await first[Symbol.asyncDispose]();
    // As a process leaves it that was away when the rotation was taken back.
    await writeFile(join(auditLog.directory, 'checkpoint'), kept);
    const again = await startLines({ data: directory, roles: [], resources: [], users: {} });
    try {
      await verify(again, kept);
    } finally {
      await again[Symbol.asyncDispose]();
    }
  });

  it('is signed by the new key and verified as a whole, through a rotation and restarts in the middle of it', async () => {
    // Of the old key, kept by a witness: it still proves that nothing was cut off.
    let kept: Buffer | undefined;
    const counts: number[] = [];
    for (const step of ['start', 'advance', 'advance', 'advance', undefined] as const) {
      const cluster = await startLines({ data: directory, ...(kept && { roles: [], resources: [], users: {} }) });
      try {
        kept ??= await cluster.running.state.auditLog.checkpoint();
        if (step) await cluster.admin.call(rotateAuthority, { kind: 'audit', step });
        counts.push(await verify(cluster, kept));
      } finally {
        await cluster[Symbol.asyncDispose]();
      }
    }
    assert.deepEqual(counts, [1, 2, 2, 2, 2]);
  });
});
