import { PosternError, type AnyProtocol } from '@postern/plugin-sdk';
import type { ClusterView } from '../../cluster/cluster-view.js';
import type { Authenticator } from '../../identity/index.js';
import { certificateLifetime, visible, type Subject } from '../../rbac/index.js';
import { healthWords, type HealthTable } from '../../sessions/index.js';
import type { Store } from '../../storage/index.js';
import { RateLimit } from '../../tunnels/rate-limit.js';
import { normalAddress } from '../../tunnels/source-address.js';
import { AppTable } from './app-table.js';
import type { SessionRecord } from './session-record.js';
import { SessionTable, type KeptSession } from './session-table.js';
import { isFinal, standing, subjectOf } from './standing.js';
import { WebCertifier, type WebCertifierOptions } from './web-certifier.js';
import type {
  AppCodeRequest,
  RedeemRequest,
  ResourceName,
  WebCertificate,
  WebCertificateRequest,
  WebLoggedIn,
  WebLogin,
  WebResource,
  WebSession,
  WebSessions,
} from './web-sessions.js';

export interface WebSessionServiceOptions extends WebCertifierOptions {
  readonly store: Store;
  readonly view: ClusterView;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly health: HealthTable;
  readonly authenticator: Authenticator;
}

/** A session, and who asks in it. */
interface Present extends KeptSession {
  readonly subject: Subject;
}

/** Codes for applications that one session may have in a minute. */
const codesPerMinute = 60;

/** The sessions of browsers, kept and decided about by the Auth Service. */
export class WebSessionService implements WebSessions {
  readonly #sessions: SessionTable;
  readonly #apps: AppTable;
  readonly #certifier: WebCertifier;
  readonly #codes: RateLimit;
  readonly #listeners = new Set<(session: string) => void>();

  constructor(private readonly options: WebSessionServiceOptions) {
    const { store, now } = options;
    this.#sessions = new SessionTable(store, now);
    this.#apps = new AppTable(store, now);
    this.#certifier = new WebCertifier(options);
    this.#codes = new RateLimit(codesPerMinute, 60_000, now);
  }

  /** Ends sessions whose right ends, and tells of all that have ended, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { view } = this.options;
    const off = view.onChange(() => this.#review());
    try {
      await this.#sessions.follow(signal, ({ id }) => {
        for (const listener of this.#listeners) listener(id);
      });
    } finally {
      off();
    }
  }

  async login(login: WebLogin, from: string): Promise<WebLoggedIn> {
    const { authenticator, view, report, now } = this.options;
    const address = normalAddress(from);
    const { user, mfa } = await authenticator.authenticate(login, address);
    const roles = user.roles.filter((name) => view.roles.has(name));
    const { defaultMs } = certificateLifetime({ roles }, view.roles);
    const { name, traits, generation } = user;
    const begun = {
      user: name,
      roles,
      traits,
      generation,
      address,
      ...(mfa && { mfa: { device: mfa.device, at: mfa.at.toISOString() } }),
      expires: new Date(now().getTime() + defaultMs).toISOString(),
    };
    const denied = standing(subjectOf(view, begun, { address, now: now() }));
    if (denied) {
      const fields = { method: 'password', reason: denied.code, name };
      await report('user.login_failed', { source: address }, fields);
      throw denied;
    }
    await report('user.login', { user: name, source: address }, { method: 'password', mfa: mfa?.device, via: 'web' });
    const { cookie, record } = await this.#sessions.create(begun);
    return { cookie, session: shown(record) };
  }

  async session(cookie: string, address: string): Promise<WebSession | undefined> {
    const found = await this.#present(await this.#sessions.find(cookie), address);
    return found && shown(found.record);
  }

  async logout(cookie: string, address: string): Promise<void> {
    const found = await this.#sessions.find(cookie);
    if (found) await this.#end(found, 'logged out', address);
  }

  async resources(cookie: string, address: string): Promise<readonly WebResource[]> {
    const { view, protocols, health } = this.options;
    const { subject } = await this.#mustBePresent(cookie, address);
    return visible(subject, view.resources, protocols).map(({ resource, principals }) => {
      const { kind, name, labels } = resource;
      const known = health.get(resource);
      return {
        kind,
        name,
        title: protocols.get(kind)?.title ?? kind,
        labels,
        principals,
        ...(known && { health: { ok: known.ok, detail: healthWords(known) } }),
      };
    });
  }

  async certificate({ cookie, resource, publicKey, address }: WebCertificateRequest): Promise<WebCertificate> {
    const session = await this.#apps.sessionOf(cookie, resource);
    const kept = session === undefined ? this.#sessions.find(cookie) : this.#sessions.get(session);
    const present = await this.#present(await kept, address);
    if (!present) throw await this.#certifier.refuse(loggedOut(), { address: normalAddress(address), resource });
    const { certificate, expires } = await this.#certifier.certify(present, resource, publicKey);
    return { certificate, expires, session: shown(present.record) };
  }

  async appCode({ cookie, app, nonce, address }: AppCodeRequest): Promise<string> {
    const { key, record, subject } = await this.#mustBePresent(cookie, address);
    this.#certifier.decide(subject, app);
    if (!this.#codes.take(record.id))
      throw PosternError.public('rate_limited', 'too many visits: wait a minute and try again');
    return this.#apps.createCode(key, app, nonce);
  }

  async redeem({ code, app, nonce, address }: RedeemRequest): Promise<string> {
    const key = await this.#apps.takeCode(code, app, nonce);
    const present = await this.#present(key === undefined ? undefined : await this.#sessions.get(key), address);
    if (!present) throw PosternError.public('unauthenticated', 'this link was used before or is too old: try again');
    return this.#apps.createCookie(present.key, app, new Date(present.record.expires));
  }

  async appSession(cookie: string, app: ResourceName, address: string): Promise<WebSession | undefined> {
    const key = await this.#apps.sessionOf(cookie, app);
    const found = await this.#present(key === undefined ? undefined : await this.#sessions.get(key), address);
    return found && shown(found.record);
  }

  onEnd(listener: (session: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #mustBePresent(cookie: string, address: string): Promise<Present> {
    const found = await this.#present(await this.#sessions.find(cookie), address);
    if (!found) throw loggedOut();
    return found;
  }

  /** The session if it is good from this address; counts as use. One whose right has ended is ended. */
  async #present(found: KeptSession | undefined, from: string): Promise<Present | undefined> {
    if (!found) return undefined;
    const address = normalAddress(from);
    const subject = subjectOf(this.options.view, found.record, { address, now: this.options.now() });
    const denied = standing(subject);
    if (denied && isFinal(denied)) await this.#end(found, denied.code, address);
    if (denied) return undefined;
    return (await this.#sessions.touch(found)) ? { ...found, subject } : undefined;
  }

  /** Ends it first and records it then: nothing must keep a session alive. */
  async #end({ key, record }: KeptSession, reason: string, address?: string): Promise<void> {
    if (!(await this.#sessions.delete(key))) return;
    const about = { user: record.user, ...(address !== undefined && { source: address }) };
    await this.options.report('user.logout', about, { reason, via: 'web' });
  }

  #review(): void {
    const { view, now } = this.options;
    for (const session of this.#sessions.all) {
      const { record } = session;
      const denied = standing(subjectOf(view, record, { address: record.address, now: now() }));
      // Handled: what fails here is refused at its next use.
      if (denied && isFinal(denied)) void this.#end(session, denied.code).catch(() => {});
    }
  }
}

const loggedOut = (): PosternError => PosternError.public('unauthenticated', 'you are not logged in (any more)');

const shown = ({ id, user, roles, expires }: SessionRecord): WebSession => ({
  id,
  user,
  roles,
  expires: new Date(expires),
});
