import { X509Certificate } from 'node:crypto';
import { PosternError, type AnyProtocol, type Identity } from '@postern/plugin-sdk';
import {
  verifyOpenSshUserCertificate,
  verifyUserCertificate,
  type AssertionRequest,
  type CertifiedIdentity,
  type CertificateIssuer,
  type IssuedUntil,
} from '../certificates/index.js';
import { mayBecome, summary, type Allowed } from '../rbac/index.js';
import {
  decideWanted,
  denialIn,
  holderOf,
  type LiveSession,
  type LiveSessions,
  type SessionProof,
  type SessionSigning,
} from '../sessions/index.js';
import { routeName } from '../tunnels/index.js';
import type { ClusterView } from './cluster-view.js';
import type { Report } from './report.js';

export interface SessionSignerOptions {
  /** The agent that asks, and what it serves: nobody gets a signature for a resource of another agent. */
  readonly agent: string;
  serves(resource: { readonly kind: string; readonly name: string }): boolean;
  /** The agent's sessions: a proof is about one of them, of the same certificate at the same resource. */
  readonly live: Pick<LiveSessions, 'get'>;
  readonly view: ClusterView;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly issuer: CertificateIssuer;
  readonly report: Report;
  readonly now: () => Date;
}

interface Verified {
  readonly identity: Identity;
  readonly decision: Allowed;
}

/**
 * Signs for one agent. Everything it says is proved again: the user by the
 * user's own certificate, the access by a decision made here, and that the
 * agent serves the resource by what it registered. Every signature and every
 * refusal is recorded before it is given.
 */
export class SessionSigner implements SessionSigning {
  constructor(private readonly options: SessionSignerOptions) {}

  async server(resource: { readonly kind: string; readonly name: string }, publicKey: string): Promise<string> {
    await this.#mustServe(resource, 'host');
    const name = this.#hostname(resource);
    const issued = await this.#signed(
      'host',
      name,
      this.options.issuer.issueServer({ names: [name], publicKey, ca: 'host' }),
    );
    return this.#record(issued, { authority: 'host', format: 'x509', subject: name });
  }

  async openSshHost(resource: { readonly kind: string; readonly name: string }, publicKey: string): Promise<string> {
    await this.#mustServe(resource, 'host');
    const name = this.#hostname(resource);
    const issued = await this.#signed(
      'host',
      name,
      this.options.issuer.issueOpenSshHost({ principals: [name], publicKey }),
    );
    return this.#record(issued, { authority: 'host', format: 'openssh', subject: name });
  }

  async databaseClient(proof: SessionProof, name: string, publicKey: string): Promise<string> {
    const { identity } = await this.#mayBecome(proof, name, 'db_client');
    const issued = await this.#signed('db_client', name, this.options.issuer.issueDatabaseClient({ name, publicKey }));
    return this.#record(issued, { authority: 'db_client', format: 'x509', subject: name }, { proof, identity });
  }

  async openSshLogin(proof: SessionProof, login: string, publicKey: string): Promise<string> {
    const { identity } = await this.#mayBecome(proof, login, 'openssh');
    const keyId = `${identity.user} ${proof.session}`;
    const issued = await this.#signed(
      'openssh',
      login,
      this.options.issuer.issueOpenSshLogin({ login, keyId, publicKey }),
    );
    return this.#record(issued, { authority: 'openssh', format: 'openssh', subject: login }, { proof, identity });
  }

  async assertion(proof: SessionProof, audience: string): Promise<string> {
    const { identity } = await this.#verify(proof, 'jwt');
    const { user, roles, traits } = identity;
    const request: AssertionRequest = { subject: user, audience, claims: { roles, traits } };
    const { expires } = identity;
    await this.options.report(
      'certificate.issued',
      { user, session: proof.session, resource: proof.resource },
      { authority: 'jwt', format: 'jwt', serial: proof.session, subject: user, expires: expires.toISOString() },
    );
    return this.options.issuer.signAssertion(request);
  }

  async #mayBecome(proof: SessionProof, name: string, authority: string): Promise<Verified> {
    const verified = await this.#verify(proof, authority);
    if (!mayBecome(verified.decision, name))
      throw await this.#refuse(authority, name, refused(`${verified.identity.user} may not become ${name} there`));
    return verified;
  }

  async #verify(proof: SessionProof, authority: string): Promise<Verified> {
    await this.#mustServe(proof.resource, authority);
    const { kind, name } = proof.resource;
    const protocol = this.options.protocols.get(kind);
    const resource = this.options.view.resource({ kind, name });
    if (!protocol || !resource)
      throw await this.#refuse(authority, name, refused(`there is no resource ${kind}/${name}`));
    const identity = await this.#identify(proof, authority);
    const { source, ask } = proof;
    // The session was opened in time; its certificate may have ended since, where the roles say so.
    const wanted = { identity, source, protocol, resource, ask, now: this.options.now(), stage: 'session' as const };
    const decision = decideWanted(this.options.view, wanted);
    if (!decision.allowed) {
      const denial = denialIn(decision);
      const error = new PosternError(decision.code, summary(decision), { publicMessage: denial?.message ?? 'denied' });
      throw await this.#refuse(authority, identity.user, error);
    }
    return { identity, decision };
  }

  async #identify(proof: SessionProof, authority: string): Promise<Identity> {
    const { resource } = proof;
    const live = this.options.live.get(proof.session);
    const identity = await this.#verifyCertificate(proof, live).catch(async (cause: unknown) => {
      throw await this.#refuse(authority, undefined, PosternError.from(cause));
    });
    const { user } = identity;
    const isIts = live && holderOf(live.identity) === holderOf(identity);
    if (isIts && live.kind === resource.kind && live.resource === resource.name) return identity;
    const text = `${proof.session} is no session of ${user} at ${resource.kind}/${resource.name}`;
    throw await this.#refuse(authority, user, refused(text));
  }

  async #verifyCertificate({ certificate }: SessionProof, live: LiveSession | undefined): Promise<CertifiedIdentity> {
    // Valid when the session began; whether it may have ended since is for the roles to say.
    const began = live?.started ?? this.options.now();
    // A browser's session has connections that came later, with certificates that did not exist when it began.
    const when = live?.identity.web && certificate.kind === 'x509' ? later(began, validFrom(certificate.pem)) : began;
    const trust = [this.options.view.trust('user')];
    return certificate.kind === 'x509'
      ? verifyUserCertificate(certificate.pem, trust, when)
      : verifyOpenSshUserCertificate(certificate.blob, trust, when);
  }

  /** What the issuer refuses, such as a name that is none, is a refusal too. */
  #signed(authority: string, subject: string, issuing: Promise<IssuedUntil>): Promise<IssuedUntil> {
    return issuing.catch(async (cause: unknown) => {
      throw await this.#refuse(authority, subject, PosternError.from(cause));
    });
  }

  async #mustServe(resource: { readonly kind: string; readonly name: string }, authority: string): Promise<void> {
    if (this.options.serves(resource)) return;
    const name = this.#hostname(resource);
    throw await this.#refuse(authority, name, refused(`agent ${this.options.agent} does not serve ${name}`));
  }

  async #refuse(authority: string, subject: string | undefined, error: PosternError): Promise<PosternError> {
    const { code, message } = error;
    await this.options.report('certificate.refused', {}, { authority, subject, code, message });
    return error;
  }

  async #record(
    { certificate, serial, expires }: IssuedUntil,
    about: { readonly authority: string; readonly format: string; readonly subject: string },
    session?: { readonly proof: SessionProof; readonly identity: Identity },
  ): Promise<string> {
    const { proof, identity } = session ?? {};
    const purpose = `agent ${this.options.agent}`;
    await this.options.report(
      'certificate.issued',
      { user: identity?.user, session: proof?.session, resource: proof?.resource },
      { ...about, serial, expires: expires.toISOString(), purpose },
    );
    return certificate;
  }

  #hostname({ kind, name }: { readonly kind: string; readonly name: string }): string {
    return routeName(this.options.view.cluster, kind, name);
  }
}

const later = (one: Date, other: Date | undefined): Date => (other && other > one ? other : one);

/** Where it cannot be read, it will not be believed either. */
function validFrom(pem: string): Date | undefined {
  try {
    return new Date(new X509Certificate(pem).validFrom);
  } catch {
    return undefined;
  }
}

const refused = (message: string): PosternError =>
  new PosternError('access_denied', message, { publicMessage: message });
