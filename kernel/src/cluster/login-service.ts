import type { AnyProtocol, Identity } from '@postern/plugin-sdk';
import { openSshLine, parseOpenSshLine, type CertificateIssuer } from '../certificates/index.js';
import type { Authenticator, Proof } from '../identity/index.js';
import { certificateLifetime, mergeOptions, principalsOf } from '../rbac/index.js';
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
}

/** OpenSSH refuses a certificate without principals; this one is nobody's login. */
const nobody = 'nobody@postern';

/** Proves who a user is and certifies the public keys that the request brought. Private keys never come here. */
export class LoginService {
  constructor(private readonly options: LoginServiceOptions) {}

  async login(request: LoginRequest, source: string): Promise<LoggedIn> {
    const { user, mfa } = await this.options.authenticator.authenticate(request, source);
    const { view, protocols, issuer, report } = this.options;
    const roles = user.roles.filter((name) => view.roles.has(name));
    const grantee = { roles, traits: user.traits };
    const principals = principalsOf(grantee, view.roles, protocols);
    const { pinAddress } = mergeOptions(roles.flatMap((name) => view.roles.get(name)?.options ?? []));
    const claims = {
      user: user.name,
      ...grantee,
      principals,
      generation: user.generation,
      requests: [],
      ...(mfa && { mfa }),
      ...(pinAddress && { pinnedAddress: source }),
    };
    const logins = this.#logins(principals);
    const issued = await issuer.issueUser({
      claims,
      tlsPublicKey: request.tlsPublicKey,
      openSshPublicKey: openSshLine(parseOpenSshLine(request.sshPublicKey)),
      lifetimeMs: lifetimeOf(certificateLifetime(grantee, view.roles), request.ttlMs),
      openSshPrincipals: logins.length > 0 ? logins : [nobody],
      openSshPermissions: { pty: true, portForwarding: true, agentForwarding: true, x11Forwarding: true },
    });
    const { tls, openSsh, expires } = issued;
    if (!tls || !openSsh) throw new Error('both keys were certified');
    await report('user.login', { user: user.name, source }, { method: 'password', mfa: mfa?.device });
    for (const [format, { serial }] of [['x509', tls] as const, ['openssh', openSsh] as const])
      await report(
        'certificate.issued',
        { user: user.name, source },
        { authority: 'user', format, serial, subject: user.name, roles, expires: expires.toISOString() },
      );
    const identity = { ...claims, cluster: issuer.cluster, serial: tls.serial, expires };
    return { identity, certificate: tls.certificate, sshCertificate: openSsh.certificate };
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
