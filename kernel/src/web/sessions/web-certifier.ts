import { PosternError, type AnyProtocol } from '@postern/plugin-sdk';
import type { CertificateIssuer } from '../../certificates/index.js';
import type { ClusterView } from '../../cluster/cluster-view.js';
import type { Report } from '../../cluster/report.js';
import { decideVisible, denialError, principalsOf, type Subject } from '../../rbac/index.js';
import { RateLimit } from '../../tunnels/rate-limit.js';
import { limitKey } from '../../tunnels/source-address.js';
import type { SessionRecord } from './session-record.js';
import { forPages } from './standing.js';
import type { ResourceName } from './web-sessions.js';

export interface WebCertifierOptions {
  readonly view: ClusterView;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly issuer: CertificateIssuer;
  readonly report: Report;
  readonly now: () => Date;
}

/** The longest life of a certificate that a proxy gets for a browser. */
const lifetimeMs = 60_000;

/** Certificates of one session in a minute: one for each of its resources, and some to spare. */
const perMinute = 120;

/** Certifies keys of proxies, for what a browser's session may do at one resource from one address. */
export class WebCertifier {
  readonly #issued: RateLimit;
  readonly #refusals: RateLimit;

  constructor(private readonly options: WebCertifierOptions) {
    this.#issued = new RateLimit(perMinute, 60_000, options.now);
    this.#refusals = new RateLimit(1, 60_000, options.now);
  }

  /** Rejects with `not_found` without such a resource, and with the denial where the user may not see it. */
  decide(subject: Subject, { kind, name }: ResourceName): void {
    const { view, protocols } = this.options;
    const resource = view.resource({ kind, name });
    const protocol = protocols.get(kind);
    if (!resource || !protocol) throw PosternError.public('not_found', `there is no ${kind}/${name}`);
    const decision = decideVisible({ subject, resource, protocol });
    if (!decision.allowed) throw forPages(denialError(decision));
  }

  /** Decides, signs and records. A refusal is recorded once a minute for each user and resource. */
  async certify(
    { record, subject }: { readonly record: SessionRecord; readonly subject: Subject },
    resource: ResourceName,
    publicKey: string,
  ): Promise<{ readonly certificate: string; readonly expires: Date }> {
    const { now } = this.options;
    try {
      this.decide(subject, resource);
      if (!this.#issued.take(record.id))
        throw PosternError.public('rate_limited', 'too many certificates: wait a minute and try again');
      return await this.#issue({ record, subject }, resource, {
        publicKey,
        lifetimeMs: Math.min(lifetimeMs, Date.parse(record.expires) - now().getTime()),
      });
    } catch (cause) {
      throw await this.refuse(PosternError.from(cause), { user: record.user, address: subject.source ?? '', resource });
    }
  }

  /** Records why there is no certificate, and returns the reason to be thrown. */
  async refuse(
    error: PosternError,
    { user, address, resource }: { readonly user?: string; readonly address: string; readonly resource: ResourceName },
  ): Promise<PosternError> {
    const { kind, name } = resource;
    const { code, message } = error;
    if (!this.#refusals.take(JSON.stringify([user ?? limitKey(address), code, ...(user ? [kind, name] : [])])))
      return error;
    const about = { ...(user !== undefined && { user }), source: address, resource: { kind, name } };
    await this.options.report('certificate.refused', about, { authority: 'user', subject: user, code, message });
    return error;
  }

  async #issue(
    { record, subject }: { readonly record: SessionRecord; readonly subject: Subject },
    { kind, name }: ResourceName,
    key: { readonly publicKey: string; readonly lifetimeMs: number },
  ): Promise<{ readonly certificate: string; readonly expires: Date }> {
    const { view, protocols, issuer, report } = this.options;
    const { user, roles, traits, generation, mfa } = subject.identity;
    const { source = '' } = subject;
    const { tls, expires } = await issuer.issueUser({
      claims: {
        user,
        roles,
        traits,
        principals: principalsOf({ roles, traits }, view.roles, protocols),
        generation,
        requests: [],
        ...(mfa && { mfa }),
        pinnedAddress: source,
        via: 'web',
        resource: { kind, name },
        web: { session: record.id, expires: new Date(record.expires) },
      },
      tlsPublicKey: key.publicKey,
      lifetimeMs: key.lifetimeMs,
    });
    if (!tls) throw new PosternError('internal', 'the key was certified');
    await report(
      'certificate.issued',
      { user, source, resource: { kind, name } },
      {
        authority: 'user',
        format: 'x509',
        serial: tls.serial,
        subject: user,
        roles,
        expires: expires.toISOString(),
        purpose: `web session ${record.id}`,
      },
    );
    return { certificate: tls.certificate, expires };
  }
}
