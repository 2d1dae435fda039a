import type { CertificateIssuer } from '../../src/certificates/index.js';
import { createAuthorityCertificate } from '../../src/certificates/x509-authority.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { newIssuer, p256, privatePem, publicPem, signingKey } from '../certificates/support.js';

interface Shown {
  readonly certificate: string;
  readonly key: string;
}

const hour = 3_600_000;

/** A certificate for `ann` with everything that a true one says. */
async function annBy(issuer: CertificateIssuer, lifetimeMs = hour): Promise<Shown> {
  const { publicKey, privateKey } = p256();
  const { tls } = await issuer.issueUser({
    claims: { user: 'ann', roles: ['reader'], traits: {}, principals: {}, generation: 1000, requests: [] },
    tlsPublicKey: publicPem(publicKey),
    lifetimeMs,
    openSshPrincipals: ['nobody'],
    openSshPermissions: {},
  });
  return { certificate: tls?.certificate ?? '', key: privatePem(privateKey) };
}

/** A certificate of another purpose, by the cluster's own authorities. */
async function foreign(issue: (publicKey: string) => Promise<{ readonly certificate: string }>): Promise<Shown> {
  const { publicKey, privateKey } = p256();
  const { certificate } = await issue(publicPem(publicKey));
  return { certificate, key: privatePem(privateKey) };
}

/** Certificates that the API must refuse, by what is wrong with them. */
export const foreignCertificates: Readonly<Record<string, (cluster: TestCluster) => Promise<Shown>>> = {
  'one of another authority that has the same name': async () => annBy(await newIssuer()),
  'one that has expired': async ({ running, clock }) => {
    const shown = await annBy(running.state.issuer);
    clock.advance(2 * hour);
    return shown;
  },
  'one of another cluster': async () => annBy(await newIssuer({ cluster: 'other.test' })),
  'one that is for a server': ({ running: { state } }) =>
    foreign((publicKey) => state.issuer.issueServer({ names: ['auth.cluster.test'], publicKey, ca: 'host' })),
  'one that opens a database': ({ running: { state } }) =>
    foreign((publicKey) => state.issuer.issueDatabaseClient({ name: 'ann', publicKey })),
  'one that is for a service': ({ running: { state } }) =>
    foreign((publicKey) => state.issuer.issueService({ name: 'ann', services: ['auth'], publicKey })),
  'one that it signed itself': async () => {
    const { privateKey } = p256();
    const certificate = await createAuthorityCertificate('cluster.test', 'user', signingKey(privateKey), new Date());
    return { certificate, key: privatePem(privateKey) };
  },
};
