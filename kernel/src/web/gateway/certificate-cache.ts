import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { ResourceName, WebSessions } from '../sessions/index.js';

/** Who asks for what: a browser's cookie, or that of an application, and where it came from. */
export interface Visitor {
  readonly cookie: string;
  readonly resource: ResourceName;
  readonly address: string;
}

/** PEM, and the session that it stands for. */
export interface VisitorCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly expires: Date;
  readonly session: string;
}

const generate = promisify(generateKeyPair);

/** A certificate that is nearly over is not used: the agent's clock may be ahead. */
const spareMs = 20_000;

const maxEntries = 4096;

/** Certificates for browsers, each with a fresh key, kept as long as they are good. What fails is not kept. */
export class CertificateCache {
  readonly #kept = new Map<string, VisitorCertificate>();
  readonly #pending = new Map<string, Promise<VisitorCertificate>>();

  constructor(
    private readonly sessions: Pick<WebSessions, 'certificate'>,
    private readonly now: () => Date,
  ) {}

  /** Rejects as {@link WebSessions.certificate} does. */
  get(visitor: Visitor): Promise<VisitorCertificate> {
    const key = keyOf(visitor);
    const kept = this.#kept.get(key);
    if (kept && kept.expires.getTime() - spareMs > this.now().getTime()) return Promise.resolve(kept);
    const pending = this.#pending.get(key) ?? this.#fetch(key, visitor);
    this.#pending.set(key, pending);
    return pending;
  }

  /** The session has ended: nothing of it is used again. */
  forget(session: string): void {
    for (const [key, kept] of this.#kept) if (kept.session === session) this.#kept.delete(key);
  }

  async #fetch(key: string, { cookie, resource, address }: Visitor): Promise<VisitorCertificate> {
    try {
      const keys = await generate('ec', { namedCurve: 'P-256' });
      const publicKey = keys.publicKey.export({ format: 'pem', type: 'spki' }) as string;
      const issued = await this.sessions.certificate({ cookie, resource, publicKey, address });
      const { certificate, expires, session } = issued;
      const made = {
        certificate,
        key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
        expires,
        session: session.id,
      };
      this.#keep(key, made);
      return made;
    } finally {
      this.#pending.delete(key);
    }
  }

  #keep(key: string, made: VisitorCertificate): void {
    this.#kept.delete(key);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= maxEntries) this.#kept.delete(oldest);
    this.#kept.set(key, made);
  }
}

const keyOf = ({ cookie, resource: { kind, name }, address }: Visitor): string =>
  JSON.stringify([cookie, kind, name, address]);
