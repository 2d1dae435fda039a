import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { PosternError, type ErrorCode } from '@postern/plugin-sdk';
import type { TestCluster } from '../../../test/support/cluster.js';
import { TestClock } from '../../../test/support/clock.js';
import type { TestLogin } from '../../../test/support/login.js';
import { createLock, deleteLock } from '../../src/api/contract/index.js';
import { SessionSigner } from '../../src/cluster/session-signer.js';
import { LiveSessions, type SessionProof } from '../../src/sessions/index.js';
import { verifyUserCertificate } from '../../src/certificates/index.js';
import { p256, publicPem } from '../certificates/support.js';
import { hello, type LineClient } from './line-client.js';
import { linePlugin } from './line-protocol.js';
import { endOf, reader, sessionOf, startLines } from './line-world.js';

const key = publicPem(p256().publicKey);
const one = { kind: 'lines', name: 'one' };

describe('an agent that asks for a signature', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  let ann: TestLogin;
  let ben: TestLogin;
  let live: LiveSessions;
  let signer: SessionSigner;

  before(async () => {
    cluster = await startLines({
      clock,
      roles: [
        { name: 'tester', allow: { lines: { labels: { env: 'test' }, users: ['reader', 'app-*'] } } },
        { name: 'no-admin', deny: { lines: { users: ['app-admin'] } } },
        reader('nightshift', { options: { end_at_expiry: false } }),
      ],
      resources: [
        { kind: 'lines', name: 'one', labels: { env: 'test' } },
        { kind: 'lines', name: 'two', labels: { env: 'test' } },
        { kind: 'lines', name: 'elsewhere', labels: { env: 'test' } },
      ],
      users: { ann: { roles: ['tester', 'no-admin'] }, ben: { roles: ['nightshift', 'tester'] } },
    });
    ann = await cluster.login('ann');
    ben = await cluster.login('ben', { ttl: 600 });
  });
  after(() => cluster[Symbol.asyncDispose]());

  beforeEach(() => {
    const { view, issuer } = cluster.running.state;
    live = new LiveSessions();
    signer = new SessionSigner({
      agent: 'agent-1',
      serves: ({ name }) => name !== 'elsewhere',
      live,
      view,
      issuer,
      protocols: new Map([['lines', linePlugin().protocol]]),
      report: cluster.running.auth.report,
      now: clock.now,
    });
  });

  /** A session of the agent, and what it would show for it. */
  function session(login: TestLogin, resource = one, id = 'session-1'): SessionProof {
    const identity = verifyUserCertificate(login.certificate, [cluster.running.state.view.trust('user')], clock.now());
    const ask = { user: 'reader' };
    const { kind, name } = resource;
    const source = '127.0.0.1';
    live.add({ id, identity, kind, resource: name, ask, source, started: clock.now(), cut: () => {} });
    return { session: id, resource, ask, source, certificate: { kind: 'x509', pem: login.certificate } };
  }

  /** That nothing is signed, and one event says why. */
  async function refused(signature: Promise<string>, code: ErrorCode, message: RegExp): Promise<void> {
    const kinds = { types: ['certificate'] };
    const settled = await signature.catch((cause: unknown) => cause);
    assert.ok(PosternError.is(settled), String(settled));
    assert.deepEqual([settled.code, message.test(settled.message)], [code, true], settled.message);
    const [last, before] = [...(await cluster.events(kinds))].reverse();
    assert.deepEqual([last?.type, last?.fields['code']], ['certificate.refused', code]);
    assert.notEqual(before?.type, 'certificate.refused');
    // What follows tells this refusal from the next one.
    await signer.server(one, key);
  }

  it('gets a certificate for what its session was granted, and the log says for whom', async () => {
    const proof = session(ann);
    for (const name of ['reader', 'app-web'])
      assert.equal(new X509Certificate(await signer.databaseClient(proof, name, key)).subject, `CN=${name}`);
    const issued = await cluster.events({ session: 'session-1', types: ['certificate.issued'] });
    assert.deepEqual(
      issued.map(({ user, fields }) => [user, fields['subject'], fields['purpose']]),
      [
        ['ann', 'reader', 'agent agent-1'],
        ['ann', 'app-web', 'agent agent-1'],
      ],
    );
  });

  it('gets none for a principal that no role allows, or that one denies', async () => {
    const proof = session(ann);
    await refused(signer.databaseClient(proof, 'root', key), 'access_denied', /may not become root/);
    await refused(signer.databaseClient(proof, 'app-admin', key), 'access_denied', /may not become app-admin/);
    await refused(signer.databaseClient(proof, 'app-*', key), 'invalid_argument', /database user "app-\*"/);
    await refused(signer.databaseClient(proof, 'app-web', 'no key'), 'invalid_argument', /key/);
    await refused(signer.openSshLogin(proof, 'root', key), 'access_denied', /may not become root/);
  });

  it('gets none for a resource that it does not serve', async () => {
    const elsewhere = { kind: 'lines', name: 'elsewhere' };
    const proof = session(ann, elsewhere);
    await refused(signer.databaseClient(proof, 'reader', key), 'access_denied', /does not serve/);
    await refused(signer.assertion(proof, 'https://app.test'), 'access_denied', /does not serve/);
    await refused(signer.server(elsewhere, key), 'access_denied', /does not serve/);
    await refused(signer.openSshHost(elsewhere, key), 'access_denied', /does not serve/);
  });

  it('gets none for a resource that there is not', async () => {
    const proof = session(ann, { kind: 'lines', name: 'nowhere' });
    await refused(signer.databaseClient(proof, 'reader', key), 'access_denied', /no resource lines\/nowhere/);
  });

  it('gets none for a session that it does not have', async () => {
    const proof = session(ann);
    live.remove(proof.session);
    await refused(signer.databaseClient(proof, 'reader', key), 'access_denied', /no session of ann at lines\/one/);
  });

  it("gets none for another user's session", async () => {
    const { session: id } = session(ben, one, 'session-of-ben');
    const proof = { ...session(ann), session: id };
    await refused(signer.databaseClient(proof, 'reader', key), 'access_denied', /no session of ann/);
  });

  it('gets none for a session of another certificate of the same user', async () => {
    const proof = session(ann);
    const { certificate: pem } = await cluster.login('ann');
    const other: SessionProof = { ...proof, certificate: { kind: 'x509', pem } };
    await refused(signer.databaseClient(other, 'reader', key), 'access_denied', /no session of ann/);
  });

  it('gets none for a session at another resource', async () => {
    const proof = { ...session(ann), resource: { kind: 'lines', name: 'two' } };
    await refused(signer.databaseClient(proof, 'reader', key), 'access_denied', /no session of ann at lines\/two/);
  });

  it('gets none for an ask that is denied, whatever it says that was granted', async () => {
    const proof = { ...session(ann), ask: { user: 'root' } };
    await refused(signer.databaseClient(proof, 'reader', key), 'access_denied', /ann may not/);
  });

  it('gets none while a lock is in force', async () => {
    const proof = session(ann);
    const { id } = await cluster.admin.call(createLock, { target: { user: 'ann' } });
    await cluster.seen();
    await refused(signer.databaseClient(proof, 'reader', key), 'locked', /lock on user ann/);
    await cluster.admin.call(deleteLock, { id });
    await cluster.seen();
    await signer.databaseClient(proof, 'reader', key);
  });

  it('gets none for a certificate that is not the cluster’s', async () => {
    const proof = session(ann);
    const pem = cluster.authorities;
    const forged: SessionProof = { ...proof, certificate: { kind: 'x509', pem } };
    await refused(signer.databaseClient(forged, 'reader', key), 'unauthenticated', /./);
  });

  it('gets none once the certificate has expired, unless the roles let the session outlive it', async () => {
    const short = await cluster.login('ann', { ttl: 600 });
    const proofs = [session(short, one, 'session-1'), session(ben, one, 'session-2')] as const;
    clock.advance(1_200_000);
    try {
      await refused(signer.databaseClient(proofs[0], 'reader', key), 'expired', /expired/);
      await signer.databaseClient(proofs[1], 'reader', key);
      const late: SessionProof = { ...proofs[1], session: 'session-3' };
      await refused(signer.databaseClient(late, 'reader', key), 'expired', /expired/);
    } finally {
      clock.advance(-1_200_000);
    }
  });

  describe('through a session', () => {
    let client: LineClient;
    let id: string;

    before(async () => {
      [client] = await hello(cluster, ann);
      id = await sessionOf(client);
    });
    after(async () => {
      await client.send('bye');
      await endOf(cluster, id);
    });

    it('gets what the session may become, and nothing else', async () => {
      assert.equal(await client.ask('become reader'), 'ok CN=reader true');
      assert.equal(await client.ask('become root'), 'error access_denied');
      assert.equal(await client.ask('login reader'), 'ok ssh-ed25519-cert-v01@openssh.com');
      assert.match((await client.ask('assert https://app.test')) ?? '', /^ok eyJ/);
      const types = (await cluster.events({ session: id })).map(({ type }) => type);
      assert.deepEqual(types, ['session.start', ...Array<string>(3).fill('certificate.issued')]);
    });

    it('gets one certificate for a name, however many sessions become it', async () => {
      const [other] = await hello(cluster, ben);
      const session = await sessionOf(other);
      for (let i = 0; i < 3; i += 1) assert.equal(await other.ask('become app-admin'), 'ok CN=app-admin true');
      assert.equal(await other.ask('become reader'), 'ok CN=reader true');
      await other.send('bye');
      await endOf(cluster, session);
      const issued = await cluster.events({ session, types: ['certificate.issued'] });
      assert.deepEqual(
        issued.map(({ fields }) => fields['subject']),
        ['app-admin'],
      );
    });

    it('gets no certificate of an earlier session where its own roles deny the name', async () => {
      assert.equal(await client.ask('become app-admin'), 'error access_denied');
      const last = (await cluster.events({ types: ['certificate'] })).at(-1);
      assert.deepEqual([last?.type, last?.fields['subject']], ['certificate.refused', 'app-admin']);
    });
  });
});
