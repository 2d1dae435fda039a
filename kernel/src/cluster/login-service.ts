import { PosternError, type AnyProtocol, type Identity } from '@postern/plugin-sdk';
import { openSshLine, parseOpenSshLine, type CertificateIssuer } from '../certificates/index.js';
import type { Authenticated, Authenticator, Proof } from '../identity/index.js';
import { certificateLifetime, describeTarget, lockedBy, mergeOptions, principalsOf, printable } from '../rbac/index.js';
import type { ClusterView } from './cluster-view.js';
import type { Report } from './report.js';

export interface LoginRequest extends Proof {
  /** SPKI PEM. */
  readonly tlsPublicKey: string;
  /** An OpenSSH public key line. */
  readonly sshPublicKey: string;
  readonly ttlMs?: number | undefined;
}

export interface LoggedIn {
  readonly identity: Identity;
  readonly certificate: string;
  readonly sshCertificate: string;
}

export interface LoginServiceOptions {
  readonly authenticator: Authenticator;
  readonly issuer: CertificateIssuer;
  readonly view: ClusterView;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly report: Report;
  readonly now: () => Date;
}

type Claims = Omit<Identity, 'cluster' | 'serial' | 'expires'>;

/** OpenSSH refuses a certificate without principals; this one is nobody's login. */
const nobody = 'nobody@postern';

/** Proves who a user is and certifies the public keys that the request brought. Private keys never come here. */
export class LoginService {
  constructor(private readonly options: LoginServiceOptions) {}

  /**
   * Rejects as {@link Authenticator.authenticate}, and with `locked` where a lock
   * in force is about the user. Every certificate is recorded before it is handed out.
   */
  async login(request: LoginRequest, source: string): Promise<LoggedIn> {
    const authenticated = await this.prove(request, source);
    const { user } = authenticated;
    const { view, issuer } = this.options;
    const claims = this.#claimsOf(authenticated, source);
    const logins = this.#logins(claims.principals);
    const { tls, openSsh, expires } = await issuer.issueUser({
      claims,
      tlsPublicKey: request.tlsPublicKey,
      openSshPublicKey: openSshLine(parseOpenSshLine(request.sshPublicKey)),
      lifetimeMs: lifetimeOf(certificateLifetime(claims, view.roles), request.ttlMs),
      openSshPrincipals: logins.length > 0 ? logins : [nobody],
      openSshPermissions: { pty: true, portForwarding: true, agentForwarding: true, x11Forwarding: true },
    });
    if (!tls || !openSsh) throw new Error('both keys were certified');
    const about = { user: user.name, source };
    const { roles, mfa } = claims;
    await this.options.report('user.login', about, { method: 'password', mfa: mfa?.device });
    for (const [format, { serial }] of [['x509', tls] as const, ['openssh', openSsh] as const])
      await this.options.report('certificate.issued', about, {
        authority: 'user',
        format,
        serial,
        subject: user.name,
        roles,
        expires: expires.toISOString(),
      });
    const identity = { ...claims, cluster: issuer.cluster, serial: tls.serial, expires };
    return { identity, certificate: tls.certificate, sshCertificate: openSsh.certificate };
  }

  /** Checks all that a login checks, and gives nothing. Rejects as {@link login} does. */
  async prove(proof: Proof, source: string): Promise<Authenticated> {
    const authenticated = await this.options.authenticator.authenticate(proof, source);
    await this.#refuseLocked(this.#claimsOf(authenticated, source), source);
    return authenticated;
  }

  #claimsOf({ user, mfa }: Authenticated, source: string): Claims {
    const { view, protocols } = this.options;
    const roles = user.roles.filter((name) => view.roles.has(name));
    const { name, traits, generation } = user;
    const { pinAddress } = mergeOptions(roles.flatMap((role) => view.roles.get(role)?.options ?? []));
    return {
      user: name,
      roles,
      traits,
      principals: principalsOf({ roles, traits }, view.roles, protocols),
      generation,
      requests: [],
      ...(mfa && { mfa }),
      ...(pinAddress && { pinnedAddress: source }),
    };
  }

  /** A certificate that opens nothing is not worth having, and the user learns why. */
  async #refuseLocked(claims: Claims, source: string): Promise<void> {
    const { view, issuer, now, report } = this.options;
    const identity = { ...claims, cluster: issuer.cluster, serial: '', expires: now() };
    const lock = lockedBy({ identity }, view.locks, now());
    if (!lock) return;
    await report('user.login_failed', { source }, { method: 'password', reason: 'locked', name: claims.user });
    const message = lock.message ? `: ${printable(lock.message, 512)}` : '';
    const target = printable(describeTarget(lock.target));
    throw PosternError.public('locked', `a lock on ${target} is in force${message}. Ask an administrator`);
  }

  /** The names that protocols with OpenSSH credentials let the user become. */
  #logins(principals: Readonly<Record<string, readonly string[]>>): readonly string[] {
    const named = [...this.options.protocols.values()].flatMap(({ id, transport }) =>
      transport.kind === 'native' ? (principals[id] ?? []) : [],
    );
    return [...new Set(named)].filter((name) => !name.includes('*'));
  }
}

const lifetimeOf = (limit: ReturnType<typeof certificateLifetime>, wantedMs: number | undefined): number =>
  Math.min(wantedMs ?? limit.defaultMs, limit.maximumMs);
