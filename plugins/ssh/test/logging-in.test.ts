import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { PosternError } from '@postern/plugin-sdk';
import { testLogin } from './support/account.js';
import { Authority, type CertificateWishes, type KeyType } from './support/authority.js';
import { fixture } from './support/fixture.js';
import { TestNode } from './support/node.js';
import { OpenSsh, type Finished } from './support/openssh.js';
import { TypedTerminal } from './support/terminal.js';
import type { Login } from '../src/login.js';

const keyTypes = ['ed25519', 'ecdsa', 'rsa'] as const satisfies readonly KeyType[];

describe('logging in with certificates', function () {
  this.timeout(30_000);
  let authority: Authority;
  let login: Login;

  before(async () => {
    authority = new Authority();
    login = await testLogin();
  });
  after(() => authority.dispose());

  for (const host of keyTypes)
    describe(`at a node with an ${host} host certificate`, () => {
      let node: TestNode;
      before(async () => {
        node = await TestNode.start(authority, {
          credential: authority.host({ type: host }),
          allow: { logins: [login.name] },
        });
      });
      after(() => node.close());

      const logIn = (user: KeyType, more: readonly string[] = []): Promise<Finished> =>
        new OpenSsh(authority, node.port, authority.user({ principals: [login.name], type: user })).ssh(
          login.name,
          ['echo in'],
          {},
          more,
        );

      for (const user of keyTypes)
        it(`accepts an ${user} user certificate`, async () => {
          const result = await logIn(user);
          assert.equal(result.stdout.toString(), 'in\n', result.stderr);
          assert.equal(result.stderr, '');
        });

      if (host === 'rsa')
        for (const algorithm of ['rsa-sha2-256', 'rsa-sha2-512'])
          it(`signs with ${algorithm} for its host certificate`, async () => {
            const result = await logIn('ed25519', ['-o', `HostKeyAlgorithms=${algorithm}-cert-v01@openssh.com`]);
            assert.equal(result.stdout.toString(), 'in\n', result.stderr);
          });

      if (host === 'ed25519') {
        for (const algorithm of ['rsa-sha2-256', 'rsa-sha2-512'])
          it(`accepts an RSA user certificate with ${algorithm} alone`, async () => {
            const result = await logIn('rsa', ['-o', `PubkeyAcceptedAlgorithms=${algorithm}-cert-v01@openssh.com`]);
            assert.equal(result.stdout.toString(), 'in\n', result.stderr);
          });

        it('does not accept SHA-1', async () => {
          const result = await logIn('rsa', ['-o', 'PubkeyAcceptedAlgorithms=ssh-rsa-cert-v01@openssh.com']);
          assert.equal(result.code, 255);
        });

        it('shows its plain key to a client that does not know the authority', async () => {
          const result = await logIn('ed25519', [
            '-o',
            'HostKeyAlgorithms=ssh-ed25519',
            '-o',
            'StrictHostKeyChecking=no',
            '-o',
            'UserKnownHostsFile=/dev/null',
          ]);
          assert.equal(result.stdout.toString(), 'in\n', result.stderr);
        });
      }
    });

  const badHosts: readonly { readonly name: string; readonly wishes: CertificateWishes }[] = [
    { name: 'for another name', wishes: { principals: ['other.ssh.cluster.test'] } },
    { name: 'of another authority', wishes: { authority: 'other-ca' } },
    { name: 'that has expired', wishes: { validity: '-2h:-1h' } },
  ];
  for (const { name, wishes } of badHosts)
    it(`is refused by the client where the host certificate is one ${name}`, async () => {
      const node = await TestNode.start(authority, {
        credential: authority.host(wishes),
        allow: { logins: [login.name] },
      });
      try {
        const client = new OpenSsh(authority, node.port, authority.user({ principals: [login.name] }));
        assert.equal((await client.ssh(login.name, ['true'])).code, 255);
        assert.equal(node.events('session.start').length, 0);
      } finally {
        await node.close();
      }
    });

  it('cannot be served with a stolen certificate and another key', async () => {
    const stolen = { certificate: authority.host().certificate, key: authority.host().key };
    const node = await TestNode.start(authority, { credential: stolen, allow: { logins: [login.name] } });
    try {
      const client = new OpenSsh(authority, node.port, authority.user({ principals: [login.name] }));
      assert.equal((await client.ssh(login.name, ['true'])).code, 255);
      await node.idle();
      assert.deepEqual(
        node.events().map(({ type }) => type),
        ['session.denied'],
      );
    } finally {
      await node.close();
    }
  });
});

describe('a refused login', function () {
  this.timeout(30_000);
  const at = fixture();

  const attempt = (wishes: CertificateWishes, user = at.login.name, more: readonly string[] = []): Promise<Finished> =>
    new OpenSsh(at.authority, at.node.port, at.authority.user({ principals: [at.login.name], ...wishes })).ssh(
      user,
      ['true'],
      {},
      more,
    );

  const refusals: readonly { readonly name: string; readonly wishes: CertificateWishes; readonly text: string }[] = [
    {
      name: 'an expired certificate',
      wishes: { validity: '-2h:-1h' },
      text: 'the certificate has expired; run psh login',
    },
    {
      name: 'a certificate of another cluster',
      wishes: { authority: 'other-ca' },
      text: 'the certificate is not of this cluster; run psh login',
    },
    {
      name: 'a critical option that is not enforced',
      wishes: { options: ['force-command=/bin/date'] },
      text: 'the certificate demands "force-command", which is not offered here',
    },
    {
      name: 'a certificate for another address',
      wishes: { options: ['source-address=198.51.100.0/24'] },
      text: 'the certificate may not be used from this address',
    },
  ];
  for (const { name, wishes, text } of refusals)
    it(`tells the user about ${name}`, async () => {
      const result = await attempt(wishes);
      assert.equal(result.code, 255);
      assert.match(result.stderr, new RegExp(`^postern: ${text}\\r?$`, 'm'));
      assert.match(result.stderr, /Permission denied \(publickey/);
    });

  it('tells the user what the kernel decided, on the terminal', async () => {
    const result = await attempt({}, 'root');
    assert.equal(result.code, 255);
    assert.match(result.stderr, /^postern: access denied\r?$/m);
    const key = at.authority.user({ principals: [at.login.name] });
    const terminal = TypedTerminal.open(new OpenSsh(at.authority, at.node.port, key), 'root', []);
    await terminal.shows(/postern: access denied\r+\n/);
    assert.equal(await terminal.exit, 255);
  });

  it('tells the user that a login does not exist on the node', async () => {
    const node = await TestNode.start(at.authority, { allow: { logins: ['*'] } });
    try {
      const client = new OpenSsh(at.authority, node.port, at.authority.user({ principals: ['x'] }));
      const result = await client.ssh('nobody-like-that', ['true']);
      assert.match(result.stderr, /^postern: there is no login "nobody-like-that" on this node\r?$/m);
      await node.idle();
      assert.deepEqual(
        node.events().map(({ type }) => type),
        ['session.start', 'session.end'],
      );
    } finally {
      await node.close();
    }
  });

  it('tells a user without a certificate to log in, once the keys are used up', async () => {
    const key = at.authority.path('user-ca');
    const client = new OpenSsh(at.authority, at.node.port, key);
    const result = await client.ssh(at.login.name, ['true'], {}, [
      '-o',
      'BatchMode=no',
      '-o',
      'NumberOfPasswordPrompts=1',
    ]);
    assert.match(result.stderr, /^postern: no certificate was presented; run psh login\r?$/m);
    assert.match(result.stderr, /Permission denied \(publickey\)/);
  });

  it('says nothing of the kind to a user whose certificate comes after a plain key', async () => {
    assert.equal((await attempt({})).stderr, '');
  });

  it('accepts a certificate from the address that it demands', async () => {
    const result = await attempt({ options: ['source-address=192.0.2.0/24'] });
    assert.equal(result.code, 0, result.stderr);
  });

  it('comes after a host certificate was used as a user certificate', async () => {
    const { key, certificate } = at.authority.host({ authority: 'user-ca', principals: [at.login.name] });
    const path = at.authority.keep('host-as-user', key, certificate);
    const result = await new OpenSsh(at.authority, at.node.port, path).ssh(at.login.name, ['true']);
    assert.equal(result.code, 255);
  });

  it('comes with the reason where the node has no host certificate', async () => {
    const node = await TestNode.start(at.authority, {
      server: {
        openSsh: () => Promise.reject(PosternError.public('unavailable', 'the Auth Service cannot be reached')),
      },
    });
    try {
      const client = new OpenSsh(at.authority, node.port, at.authority.user({ principals: ['x'] }));
      const result = await client.ssh('x', ['true']);
      assert.match(result.stderr, /Received disconnect from .*:1: postern: the Auth Service cannot be reached/);
    } finally {
      await node.close();
    }
  });

  it('comes in time to a client that never logs in', async () => {
    const node = await TestNode.start(at.authority, { config: { login_grace_seconds: 1 } });
    try {
      const socket = connect({ host: '127.0.0.1', port: node.port });
      const started = performance.now();
      await new Promise((resolve) => socket.once('close', resolve).resume());
      assert.ok(performance.now() - started < 3_000);
    } finally {
      await node.close();
    }
  });
});
