import type { KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { signAssertion, type AssertionRequest } from './assertion.js';
import { bundleOf, type AuthorityBundle } from './authority-bundle.js';
import type { AuthorityHalf, AuthorityKind } from './authority-kind.js';
import { openAuthorities, openSet, type AuthorityStoreOptions, type OpenAuthority } from './authority-store.js';
import type { KeySet } from './key-set.js';
import { installedLifetime, serviceLifetime, upstreamLifetime, validityPeriod } from './lifetime.js';
import { checkName, checkServerNames, clusterName, databaseUserName } from './name-grammar.js';
import { issueOpenSshCertificate, permissionExtensions, type OpenSshPermissions } from './openssh-issue.js';
import { openSshLine } from './openssh-lines.js';
import { sourceAddress, sourceAddressOption } from './openssh-source-address.js';
import { acceptPublicKey } from './public-key.js';
import type { ServiceRole } from './service-extension.js';
import type { SigningKey } from './signing-key.js';
import {
  acceptOpenSshKey,
  certifyUser,
  type Issued,
  type UserCertificateRequest,
  type UserCertificates,
} from './user-certificates.js';
import { openAuthority, type X509Authority } from './x509-authority.js';
import type { IssuedX509 } from './x509-build.js';
import { issueDatabaseClientCertificate, issueServerCertificate, issueServiceCertificate } from './x509-issue.js';

/** A certificate together with its end. */
export interface IssuedUntil extends Issued {
  readonly expires: Date;
}

/** What every request says: a public key, as PEM or as a key object, and how long. Past the limit, the limit holds. */
interface KeyRequest {
  readonly publicKey: string | KeyObject;
  readonly lifetimeMs?: number;
}

/** A login on a server that runs no agent. */
export interface OpenSshLoginRequest extends KeyRequest {
  readonly login: string;
  /** What the server writes to its log: who, and in which session. */
  readonly keyId: string;
  readonly pinnedAddress?: string;
  readonly permissions?: OpenSshPermissions;
}

/** Signs the heads of an audit log, with Ed25519. */
export interface AuditSigningKey {
  readonly id: string;
  readonly publicKey: KeyObject;
  sign(bytes: Uint8Array): Promise<Buffer>;
}

/**
 * Signs for the cluster. It checks that a certificate is well-formed, inside
 * the cluster and no longer than allowed; whether the caller may have it has
 * been decided before. Private keys are never exported from here.
 */
export class CertificateIssuer {
  readonly cluster: string;
  readonly #authorities = new Map<AuthorityKind, OpenAuthority>();
  readonly #x509 = new Map<AuthorityKind, X509Authority>();
  readonly #now: () => Date;

  private constructor(
    private readonly options: AuthorityStoreOptions,
    authorities: ReadonlyMap<AuthorityKind, OpenAuthority>,
  ) {
    this.cluster = options.cluster;
    this.#now = options.now;
    for (const [kind, authority] of authorities) this.#use(kind, authority);
  }

  /** Reads the authorities, and creates those that are missing: see {@link openAuthorities}. */
  static async open(options: AuthorityStoreOptions): Promise<CertificateIssuer> {
    checkName(clusterName, 'cluster name', options.cluster);
    return new CertificateIssuer(options, await openAuthorities(options));
  }

  /** The public halves of one authority. */
  bundle<K extends AuthorityKind>(kind: K): AuthorityBundle<K> {
    return bundleOf(this.#authority(kind).set as KeySet & { readonly kind: K });
  }

  /** Certificates of the `user` authority for one user. */
  issueUser(request: UserCertificateRequest): Promise<UserCertificates> {
    const authority = { cluster: this.cluster, x509: this.#issuer('user'), openSsh: this.#half('user', 'openssh') };
    return certifyUser(request, authority, this.#now());
  }

  /** A TLS server certificate: of `host` for what an agent serves, of `db` for a database server. */
  async issueServer(request: KeyRequest & { names: readonly string[]; ca: 'host' | 'db' }): Promise<IssuedUntil> {
    const names = checkServerNames(request.names, this.cluster);
    const authority = this.#issuer(request.ca);
    const limit = request.ca === 'host' ? serviceLifetime : installedLifetime;
    const period = validityPeriod(limit, request.lifetimeMs, this.#now(), authority.notAfter);
    const publicKey = acceptPublicKey(request.publicKey, 'tls');
    return until(await issueServerCertificate({ publicKey, period, names }, authority));
  }

  /** The certificate by which a service of the cluster proves itself. `names` are those it serves itself, such as `auth.<cluster>`. */
  async issueService(
    request: KeyRequest & { name: string; services: readonly ServiceRole[]; names?: readonly string[] },
  ): Promise<IssuedUntil> {
    const names = request.names?.length ? checkServerNames(request.names, this.cluster) : [];
    const authority = this.#issuer('host');
    const period = validityPeriod(serviceLifetime, request.lifetimeMs, this.#now(), authority.notAfter);
    const claims = { cluster: this.cluster, name: request.name, services: request.services };
    const publicKey = acceptPublicKey(request.publicKey, 'tls');
    return until(await issueServiceCertificate({ publicKey, period, claims, names }, authority));
  }

  /** A client certificate for a database, good for an hour at most. The caller has decided that this user is this name. */
  async issueDatabaseClient(request: KeyRequest & { name: string }): Promise<IssuedUntil> {
    const name = checkName(databaseUserName, 'database user', request.name);
    const authority = this.#issuer('db_client');
    const period = validityPeriod(upstreamLifetime, request.lifetimeMs, this.#now(), authority.notAfter);
    const publicKey = acceptPublicKey(request.publicKey, 'tls');
    return until(await issueDatabaseClientCertificate({ publicKey, period, name }, authority));
  }

  /** An OpenSSH host certificate; every principal is a name inside the cluster. */
  async issueOpenSshHost(request: KeyRequest & { principals: readonly string[] }): Promise<IssuedUntil> {
    const principals = checkServerNames(request.principals, this.cluster);
    const period = validityPeriod(installedLifetime, request.lifetimeMs, this.#now(), this.#issuer('host').notAfter);
    const key = acceptOpenSshKey(request.publicKey);
    const [keyId = ''] = principals;
    const host = { kind: 'host' as const, key, keyId, principals, period };
    const { blob, serial } = await issueOpenSshCertificate(host, this.#half('host', 'openssh'));
    return { certificate: openSshLine(blob, keyId), serial: serial.toString(16), expires: period.notAfter };
  }

  /** A certificate of the `openssh` authority for one login, good for an hour at most. */
  async issueOpenSshLogin(request: OpenSshLoginRequest): Promise<IssuedUntil> {
    const { login, keyId, pinnedAddress, permissions = {} } = request;
    if (!/^[^\p{C}]{1,256}$/u.test(keyId))
      throw PosternError.public('invalid_argument', 'a key id is one line of text');
    const period = validityPeriod(upstreamLifetime, request.lifetimeMs, this.#now());
    const { blob, serial } = await issueOpenSshCertificate(
      {
        kind: 'user',
        key: acceptOpenSshKey(request.publicKey),
        keyId,
        principals: [login],
        period,
        criticalOptions: pinnedAddress === undefined ? [] : [[sourceAddressOption, sourceAddress(pinnedAddress)]],
        extensions: permissionExtensions(permissions),
      },
      this.#half('openssh', 'openssh'),
    );
    return { certificate: openSshLine(blob), serial: serial.toString(16), expires: period.notAfter };
  }

  /** The key of the `audit` authority that signs now. It stays that key, whatever comes after it. */
  auditKey(): AuditSigningKey {
    const key = this.#half('audit', 'audit');
    return { id: this.#authority('audit').keyId, publicKey: key.publicKey, sign: (bytes) => key.sign(bytes) };
  }

  /** A JSON Web Token of the `jwt` authority. */
  signAssertion(request: AssertionRequest): Promise<string> {
    const { keyId } = this.#authority('jwt');
    const signer = { id: keyId, key: this.#half('jwt', 'jwt'), issuer: `https://${this.cluster}` };
    return signAssertion(request, signer, this.#now());
  }

  /** The key set that it signs by. */
  keySet(kind: AuthorityKind): KeySet {
    return this.#authority(kind).set;
  }

  /**
   * Signs by another key set from now on, where it is another one. Rejects with
   * `internal` where its private halves do not open, and goes on as before.
   */
  async follow(set: KeySet): Promise<void> {
    const before = this.#authority(set.kind);
    const isSame = before.keyId === set.active[0];
    this.#use(set.kind, isSame ? { ...before, set } : await openSet(set, this.options));
  }

  #use(kind: AuthorityKind, authority: OpenAuthority): void {
    this.#authorities.set(kind, authority);
    for (const [name, issuer] of openX509(kind, authority)) this.#x509.set(name, issuer);
  }

  #authority(kind: AuthorityKind): OpenAuthority {
    const authority = this.#authorities.get(kind);
    if (!authority) throw new PosternError('internal', `there is no ${kind} authority`);
    return authority;
  }

  #issuer(kind: AuthorityKind): X509Authority {
    const issuer = this.#x509.get(kind);
    if (!issuer) throw new PosternError('internal', `the ${kind} authority issues no X.509 certificates`);
    return issuer;
  }

  #half(kind: AuthorityKind, half: AuthorityHalf): SigningKey {
    const key = this.#authority(kind).halves.get(half);
    if (!key) throw new PosternError('internal', `the ${kind} authority has no ${half} key`);
    return key;
  }
}

function openX509(kind: AuthorityKind, { set, keyId, halves }: OpenAuthority): [AuthorityKind, X509Authority][] {
  const pem = set.trusted.find(({ id }) => id === keyId)?.x509;
  const key = halves.get('x509');
  return pem !== undefined && key ? [[kind, openAuthority(kind, pem, key)]] : [];
}

const until = ({ pem, serial, notAfter }: IssuedX509): IssuedUntil => ({
  certificate: pem,
  serial,
  expires: notAfter,
});
