import type { X509Certificate } from 'node:crypto';
import { PosternError, type AnyProtocol, type Denial, type Logger } from '@postern/plugin-sdk';
import { Api, type Caller, type Handler } from '../api/index.js';
import type { Verb } from '../api/contract/index.js';
import type { Transport } from '../api/http-listener.js';
import { clusterHandlers, type Check } from '../api/handlers/cluster-handlers.js';
import { auditHandlers } from '../api/handlers/audit-handlers.js';
import { authorityHandlers } from '../api/handlers/authority-handlers.js';
import { documentHandlers } from '../api/handlers/document-handlers.js';
import { mfaHandlers } from '../api/handlers/mfa-handlers.js';
import { lockHandlers } from '../api/handlers/lock-handlers.js';
import { loginHandlers } from '../api/handlers/login-handlers.js';
import { sessionHandlers } from '../api/handlers/session-handlers.js';
import { webHandlers } from '../api/handlers/web-handlers.js';
import { userHandlers } from '../api/handlers/user-handlers.js';
import { AuditReader, type AuditLog, type Catalog } from '../audit/index.js';
import {
  verifyServiceCertificate,
  verifyUserCertificate,
  type CertificateIssuer,
  type Sealer,
} from '../certificates/index.js';
import type { UserService } from '../identity/index.js';
import { decideCaller, decideRule, denialError, presetRoles, type Decision } from '../rbac/index.js';
import type { RecordingStore } from '../recordings/index.js';
import type { EventPort, HealthTable, LiveSessions } from '../sessions/index.js';
import type { Store } from '../storage/index.js';
import { RateLimit } from '../tunnels/rate-limit.js';
import type { WebSessionService } from '../web/sessions/index.js';
import type { ClusterView } from './cluster-view.js';
import { DocumentService } from './document-service.js';
import { Explainer } from './explainer.js';
import { identityServices } from './identity-services.js';
import { LockService } from './lock-service.js';
import { reporter, type Report } from './report.js';
import type { RotationService } from './rotation-service.js';

export interface AuthServiceOptions {
  readonly cluster: string;
  readonly version: string;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly issuer: CertificateIssuer;
  readonly view: ClusterView;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly log: AuditLog;
  readonly verifier: () => string;
  readonly rotation: RotationService;
  readonly catalog: Catalog;
  readonly events: EventPort;
  readonly recordings: RecordingStore;
  readonly live: LiveSessions;
  readonly health: HealthTable;
  readonly logger: Logger;
  readonly now: () => Date;
  readonly checks: () => readonly Check[];
  readonly inviteUrl: (token: string) => string;
}

/** What a role must allow. */
interface Rule {
  readonly kind: string;
  readonly verb: Verb;
}

const loggedOut: Denial = { code: 'expired', message: 'the browser session that this belongs to is over' };

/** What was opened with certificates of a browser's session ends with it. */
function cutWebSession(live: LiveSessions, id: string): void {
  for (const session of live) if (session.identity.web?.session === id) session.cut(loggedOut);
}

/** Owns users, documents and locks, decides who may change them, and serves the API. */
export class AuthService {
  readonly users: UserService;
  readonly documents: DocumentService;
  readonly locks: LockService;
  readonly rotation: RotationService;
  readonly report: Report;
  /** The sessions of browsers. */
  readonly web: WebSessionService;
  /** Connections whose certificate was refused, and recorded as such. */
  readonly #refused = new WeakSet<object>();
  readonly #denials: RateLimit;
  readonly #api: Api<{ readonly caller: Caller }>;

  constructor(private readonly options: AuthServiceOptions) {
    const { store, now, protocols, view } = options;
    this.report = reporter(options.events);
    this.#denials = new RateLimit(1, 60_000, now);
    this.documents = new DocumentService({ store, protocols, report: this.report });
    this.locks = new LockService(store, this.report, now);
    this.rotation = options.rotation;
    const identity = identityServices({
      ...options,
      report: this.report,
      checkRoles: (roles) => this.#mustExist(roles),
    });
    this.users = identity.users;
    this.web = identity.web;
    this.web.onEnd((id) => cutWebSession(options.live, id));
    const hostAuthorities = (): ReturnType<typeof view.bundle<'host'>> => view.bundle('host');
    const may = (caller: Caller, rule: { readonly kind: string; readonly verb: Verb }): boolean =>
      this.#decide(caller, rule)?.allowed ?? true;
    const handlers: readonly Handler[] = [
      ...clusterHandlers({ ...options, started: now(), hostAuthorities, sessions: () => options.live.size }),
      ...loginHandlers({ ...identity, hostAuthorities }),
      ...mfaHandlers({ ...options, ...identity }),
      ...userHandlers({ ...options, ...identity }),
      ...documentHandlers({
        ...options,
        documents: this.documents,
        explainer: new Explainer({ users: this.users, view, protocols, now }),
        authorize: (caller, rule) => this.#authorize(caller, rule),
      }),
      ...lockHandlers(this.locks),
      ...authorityHandlers({ ...options, report: this.report }),
      ...webHandlers(this.web),
      ...sessionHandlers({ ...options, report: this.report, may }),
      ...auditHandlers({
        ...options,
        reader: new AuditReader({ directory: options.log.directory, live: options.log }),
        may,
      }),
    ];
    this.#api = new Api({
      ...options,
      handlers,
      log: options.logger,
      callerOf: async ({ caller }) => caller,
      authorize: (caller, rule) => this.#authorize(caller, rule),
      onChange: (listener) => view.onChange(listener),
    });
  }

  /** Writes the preset roles of a new cluster. What an administrator has changed or removed stays so. */
  async seed(): Promise<boolean> {
    if (this.options.view.roles.size > 0) return false;
    for (const role of presetRoles)
      await this.documents.put(role, 'postern').catch((cause: unknown) => {
        // Another Auth Service began at the same moment, and wrote the same.
        if (!PosternError.is(cause) || cause.code !== 'conflict') throw cause;
      });
    return true;
  }

  /** Answers requests that came over mutual TLS. */
  readonly fetch = (request: Request, transport: Transport): Response | Promise<Response> =>
    this.#api.fetch(request, { caller: this.#identify(transport) });

  /** Answers requests that came over the socket in the data directory. */
  readonly fetchLocal = (request: Request): Response | Promise<Response> =>
    this.#api.fetch(request, { caller: { who: { kind: 'local' }, source: 'local' } });

  /** Answers requests of browsers, who have no certificate. */
  readonly fetchPublic = (request: Request, { source }: Transport): Response | Promise<Response> =>
    this.#api.fetch(request, { caller: { who: { kind: 'anonymous' }, source } });

  #identify({ certificate, source, connection }: Transport): Caller {
    if (!certificate) return { who: { kind: 'anonymous' }, source };
    const { view, now } = this.options;
    try {
      const identity = verifyUserCertificate(certificate, [view.trust('user')], now());
      return { who: { kind: 'user', identity }, source, connection };
    } catch (cause) {
      const who = { kind: 'anonymous' as const, problem: PosternError.from(cause).publicMessage };
      const proxy = this.#proxyOf(certificate);
      return { who, source, connection, ...(proxy !== undefined && { proxy }) };
    }
  }

  /** The name of the proxy that a certificate is of, if it is one. */
  #proxyOf(certificate: X509Certificate): string | undefined {
    const { view, now } = this.options;
    try {
      return verifyServiceCertificate(certificate, [view.trust('host')], 'proxy', now()).name;
    } catch {
      return undefined;
    }
  }

  async #authorize(caller: Caller, rule?: Rule): Promise<void> {
    const { who } = caller;
    if (who.kind === 'anonymous' && who.problem !== undefined) await this.#reportRefused(caller, who.problem);
    const decision = this.#decide(caller, rule);
    if (!decision || decision.allowed) return;
    const error = denialError(decision);
    if (rule) await this.#reportDenied(caller, rule, error);
    throw error;
  }

  /** One event a minute for each user and rule, so that nobody fills the log by asking. It is denied either way. */
  async #reportDenied({ who, source }: Caller, rule: Rule, { code, publicMessage }: PosternError): Promise<void> {
    const user = who.kind === 'user' ? who.identity.user : undefined;
    if (!this.#denials.take(JSON.stringify([user, rule.kind, rule.verb]))) return;
    const fields = { ...rule, code, message: publicMessage };
    await this.report('api.denied', { ...(user !== undefined && { user }), source }, fields).catch((cause: unknown) =>
      this.options.logger.error('a denial could not be recorded', { cause: String(cause) }),
    );
  }

  /** One event for a certificate that was not believed, however many calls come with it. It is refused either way. */
  async #reportRefused({ source, connection }: Caller, message: string): Promise<void> {
    if (!connection || this.#refused.has(connection)) return;
    this.#refused.add(connection);
    const fields = { code: 'unauthenticated', message, hostname: `auth.${this.options.cluster}` };
    await this.report('connection.refused', { source }, fields).catch((cause: unknown) =>
      this.options.logger.error('a refusal could not be recorded', { cause: String(cause) }),
    );
  }

  /** Nothing to decide for the local administrator. */
  #decide({ who, source }: Caller, rule?: Rule): Decision | undefined {
    if (who.kind === 'local') return undefined;
    if (who.kind === 'anonymous')
      throw PosternError.public('unauthenticated', who.problem ?? 'log in first: psh login');
    const { view, now } = this.options;
    const { identity } = who;
    const user = view.user(identity.user);
    const subject = { identity, source, now: now(), user, roles: view.roles, locks: view.locks };
    return rule ? decideRule({ subject, ...rule }) : decideCaller(subject);
  }

  #mustExist(roles: readonly string[]): void {
    const missing = roles.filter((name) => !this.options.view.roles.has(name));
    if (missing.length > 0)
      throw PosternError.public('invalid_argument', `there is no role ${missing.join(', ')}; see: postern roles ls`);
  }
}
