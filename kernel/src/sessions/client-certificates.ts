import { X509Certificate } from 'node:crypto';
import type { TlsCredential } from '@postern/plugin-sdk';
import type { AuthorityBundle } from '../certificates/index.js';

/** Whose certificate it is: a name that somebody may become on a resource. */
export interface ClientName {
  readonly resource: { readonly kind: string; readonly name: string };
  readonly name: string;
}

interface Kept {
  readonly credential: TlsCredential;
  readonly until: number;
}

export interface ClientCertificatesOptions {
  /** The authority that issues them, as it is known now. */
  authority(): AuthorityBundle<'db_client'>;
  readonly now: () => Date;
  readonly limit?: number;
}

/**
 * Certificates and keys by which an agent proves itself to databases, kept in
 * memory from session to session: each for one name on one resource, until half
 * of its life of an hour at most is over or the authority changes. It does not
 * decide: who asks here has decided that the session may become the name.
 */
export class ClientCertificates {
  readonly #kept = new Map<string, Kept>();
  readonly #limit: number;
  #authority: AuthorityBundle | undefined;

  constructor(private readonly options: ClientCertificatesOptions) {
    this.#limit = options.limit ?? 1000;
  }

  /** The credential that was kept for the name, where it is still good. */
  find(wanted: ClientName): TlsCredential | undefined {
    this.#followAuthority();
    const key = keyOf(wanted);
    const kept = this.#kept.get(key);
    if (!kept || kept.until > this.options.now().getTime()) return kept?.credential;
    this.#kept.delete(key);
    return undefined;
  }

  /** Keeps a credential that was issued just now; the one that was kept first makes room. */
  keep(wanted: ClientName, credential: TlsCredential): void {
    this.#followAuthority();
    const { validTo } = new X509Certificate(credential.certificate);
    this.#kept.set(keyOf(wanted), { credential, until: (this.options.now().getTime() + Date.parse(validTo)) / 2 });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#limit && oldest !== undefined) this.#kept.delete(oldest);
  }

  #followAuthority(): void {
    const authority = this.options.authority();
    if (authority === this.#authority) return;
    this.#authority = authority;
    this.#kept.clear();
  }
}

const keyOf = ({ resource, name }: ClientName): string => JSON.stringify([resource.kind, resource.name, name]);
