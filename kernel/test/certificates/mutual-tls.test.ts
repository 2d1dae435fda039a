import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import {
  verifyServiceCertificate,
  verifyUserCertificate,
  type CertificateIssuer,
} from '../../src/certificates/index.js';
import { claims, cluster, newIssuer, p256, privatePem, refusal, trustIn } from './support.js';

interface Party {
  readonly cert: string;
  readonly key: string;
  readonly ca: readonly string[];
}

/**
 * A TLS 1.3 handshake with certificates on both sides. The server admits
 * everybody and looks afterwards, as an agent does that refuses in its
 * protocol's own words. Resolves with what both ends see of the other.
 */
async function handshake<S, C>(
  server: Party,
  client: Party & { servername: string },
  see: { server(socket: TLSSocket): S; client(socket: TLSSocket): C },
): Promise<{ server: S; client: C }> {
  const common = { minVersion: 'TLSv1.3' as const, ca: [] as string[] };
  const listener = createServer({
    ...common,
    ...server,
    ca: [...server.ca],
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ ...common, ...client, ca: [...client.ca], host: '127.0.0.1', port });
  try {
    const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
    const rejected = once(listener, 'tlsClientError').then(([error]: Error[]) => Promise.reject(error ?? new Error()));
    const secured = once(socket, 'secureConnect');
    await Promise.race([Promise.all([accepted, secured]), rejected]);
    const [peer] = await accepted;
    const result = { server: see.server(peer), client: see.client(socket) };
    peer.destroy();
    return result;
  } finally {
    socket.destroy();
    listener.close();
  }
}

describe('mutual TLS with our certificates', () => {
  let issuer: CertificateIssuer;
  const servername = `main.db.${cluster}`;

  before(async () => {
    issuer = await newIssuer();
  });

  async function serverParty(): Promise<Party> {
    const { publicKey, privateKey } = p256();
    const { certificate } = await issuer.issueServer({ ca: 'host', names: [servername], publicKey });
    return { cert: certificate, key: privatePem(privateKey), ca: issuer.bundle('user').x509 };
  }

  async function userParty(from: CertificateIssuer): Promise<Party & { servername: string }> {
    const { publicKey, privateKey } = p256();
    const { tls } = await from.issueUser({ claims, tlsPublicKey: publicKey });
    return { cert: tls?.certificate ?? '', key: privatePem(privateKey), ca: issuer.bundle('host').x509, servername };
  }

  it('lets an agent and a user know each other', async () => {
    const seen = await handshake(await serverParty(), await userParty(issuer), {
      server: (socket) => {
        assert.equal(socket.authorized, true);
        const certificate = socket.getPeerX509Certificate();
        assert.ok(certificate);
        return verifyUserCertificate(certificate, trustIn(issuer, 'user'), new Date());
      },
      client: (socket) => socket.authorized,
    });
    assert.equal(seen.server.user, 'alice');
    assert.equal(seen.client, true);
  });

  it('lets two services know each other by one certificate each', async () => {
    const service = async (name: string, role: 'auth' | 'agent', names: string[] = []): Promise<Party> => {
      const { publicKey, privateKey } = p256();
      const { certificate } = await issuer.issueService({ name, services: [role], names, publicKey });
      return { cert: certificate, key: privatePem(privateKey), ca: issuer.bundle('host').x509 };
    };
    const auth = `auth.${cluster}`;
    const look = (role: 'auth' | 'agent') => (socket: TLSSocket) => {
      assert.equal(socket.authorized, true);
      const certificate = socket.getPeerX509Certificate();
      assert.ok(certificate);
      return verifyServiceCertificate(certificate, trustIn(issuer, 'host'), role, new Date()).name;
    };
    const agent = { ...(await service('agent-1', 'agent')), servername: auth };
    const seen = await handshake(await service('auth-1', 'auth', [auth]), agent, {
      server: look('agent'),
      client: look('auth'),
    });
    assert.deepEqual(seen, { server: 'agent-1', client: 'auth-1' });
  });

  it('shows an agent that a user is of another cluster', async () => {
    const other = await newIssuer();
    const seen = await handshake(await serverParty(), await userParty(other), {
      server: (socket) => {
        const certificate = socket.getPeerX509Certificate();
        assert.ok(certificate);
        assert.throws(
          () => verifyUserCertificate(certificate, trustIn(issuer, 'user'), new Date()),
          refusal('unauthenticated', /not trusted/),
        );
        return socket.authorized;
      },
      client: () => undefined,
    });
    assert.equal(seen.server, false);
  });

  it('fails where the server has another name', async () => {
    const user = { ...(await userParty(issuer)), servername: `other.db.${cluster}` };
    await assert.rejects(
      handshake(await serverParty(), user, { server: () => 0, client: () => 0 }),
      /does not match|altnames/i,
    );
  });

  it('fails where a user poses as a server', async () => {
    const user = await userParty(issuer);
    const impostor = { ...user, ca: issuer.bundle('user').x509 };
    const client = { ...(await userParty(issuer)), ca: issuer.bundle('user').x509 };
    await assert.rejects(
      handshake(impostor, client, { server: () => 0, client: () => 0 }),
      /unsupported certificate purpose|altnames|unsuitable/i,
    );
  });
});
