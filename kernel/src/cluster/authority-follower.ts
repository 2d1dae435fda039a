import type { Logger } from '@postern/plugin-sdk';
import type { AuditLog } from '../audit/index.js';
import {
  authorityKinds,
  isOfActiveKey,
  type AuthorityKind,
  type CertificateIssuer,
  type KeySet,
} from '../certificates/index.js';
import { auditSigner, keepVerifier, verifierOf } from './audit-signers.js';
import type { ClusterView } from './cluster-view.js';
import type { DataDirectory } from './data-directory.js';

export interface AuthorityFollowerOptions {
  readonly view: ClusterView;
  readonly issuer: CertificateIssuer;
  readonly auditLog: AuditLog;
  readonly directory: DataDirectory;
  /** Names this process, and its audit log. */
  readonly agent: string;
  readonly logger: Logger;
}

/** How often what could not be applied is tried again. */
const retryMs = 5000;

/**
 * Keeps what signs in this process up with the rotations of the authorities,
 * whoever takes their steps: here, or at another Auth Service on the same store.
 */
export class AuthorityFollower implements AsyncDisposable {
  readonly #stop: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #services = new Map<string, () => string>();
  /** What this process signs by. */
  readonly #applied = new Map<AuthorityKind, KeySet>();
  readonly #retry: NodeJS.Timeout;
  #work: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: AuthorityFollowerOptions) {
    this.#stop = options.view.onChange(() => this.#follow());
    // A store that was away for a moment must not leave a key behind that nobody trusts any more.
    this.#retry = setInterval(() => this.#follow(), retryMs).unref();
    this.#follow();
  }

  /** The text form of the key that verifies the audit log's next checkpoint. */
  get auditVerifier(): string {
    return verifierOf(auditSigner(this.options.issuer, this.options.agent));
  }

  /** Calls the listener whenever this process signs by another key set, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells of a service whose certificate, in PEM, is to be of the `host` key that signs. */
  watch(service: string, certificate: () => string): void {
    this.#services.set(service, certificate);
  }

  /** The services whose certificate is of another `host` key than the one that signs. */
  get lagging(): readonly string[] {
    const set = this.options.view.keySet('host');
    return [...this.#services].flatMap(([name, certificate]) =>
      set && isOfActiveKey(certificate(), set) ? [] : [name],
    );
  }

  /** Resolves once this process signs as the authority's document says. Rejects with what is in the way. */
  apply(kind: AuthorityKind): Promise<void> {
    const applied = this.#work.then(() => this.#apply(kind));
    this.#work = applied.catch(() => {});
    return applied;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    clearInterval(this.#retry);
    await this.#work;
  }

  /** Catches up with every authority whose document is another one than the one that was applied. */
  #follow(): void {
    const { view, logger } = this.options;
    for (const kind of authorityKinds) {
      const set = view.keySet(kind);
      if (!set || this.#applied.get(kind) === set) continue;
      this.apply(kind).catch((cause: unknown) =>
        logger.error('an authority was rotated, and this process cannot sign by its new key yet', {
          authority: kind,
          cause: String(cause),
        }),
      );
    }
  }

  /** Idempotent: what failed in the middle is done again as a whole. */
  async #apply(kind: AuthorityKind): Promise<void> {
    const { view, issuer } = this.options;
    // The newest, whichever step asked: an older one must not come after it.
    const set = view.keySet(kind);
    if (!set || this.#applied.get(kind) === set) return;
    await issuer.follow(set);
    if (kind === 'audit') await this.#signLog();
    this.#applied.set(kind, set);
    for (const listener of this.#listeners) listener();
  }

  async #signLog(): Promise<void> {
    const { issuer, auditLog, directory, agent } = this.options;
    const signer = auditSigner(issuer, agent);
    // Kept first: there is no checkpoint that the file's keys do not verify.
    await keepVerifier(directory.auditVerifiers, verifierOf(signer));
    await auditLog.signBy(signer);
  }
}
