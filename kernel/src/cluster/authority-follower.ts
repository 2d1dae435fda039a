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

/**
 * Keeps what signs in this process up with the rotations of the authorities,
 * whoever takes their steps: here, or at another Auth Service on the same store.
 */
export class AuthorityFollower implements AsyncDisposable {
  readonly #stop: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #services = new Map<string, () => string>();
  readonly #seen = new Map<AuthorityKind, KeySet>();
  #work: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: AuthorityFollowerOptions) {
    this.#stop = options.view.onChange(() => this.#follow());
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

  /** Resolves once this process signs by the key set. Rejects with `internal` where it cannot. */
  apply(set: KeySet): Promise<void> {
    // One after the other: the last one that was asked for is the one that stays.
    const applied = this.#work.then(() => this.#apply(set));
    this.#work = applied.catch(() => {});
    return applied;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await this.#work;
  }

  #follow(): void {
    const { view, logger } = this.options;
    for (const kind of authorityKinds) {
      const set = view.keySet(kind);
      if (!set || this.#seen.get(kind) === set) continue;
      this.#seen.set(kind, set);
      this.apply(set).catch((cause: unknown) =>
        logger.error('an authority was rotated, and this process cannot sign by its new key', {
          authority: kind,
          cause: String(cause),
        }),
      );
    }
  }

  async #apply(set: KeySet): Promise<void> {
    const { issuer, auditLog, directory, agent } = this.options;
    const before = issuer.keySet(set.kind).active[0];
    await issuer.follow(set);
    for (const listener of this.#listeners) listener();
    if (set.kind !== 'audit' || set.active[0] === before) return;
    const signer = auditSigner(issuer, agent);
    // Kept first: there is no checkpoint that the file's keys do not verify.
    await keepVerifier(directory.auditVerifiers, verifierOf(signer));
    await auditLog.signBy(signer);
  }
}
