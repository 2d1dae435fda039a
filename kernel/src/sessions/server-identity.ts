import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { X509Certificate } from 'node:crypto';
import type { ServerCredentials, OpenSshCredential } from '@postern/plugin-sdk';
import {
  encodeOpenSshKey,
  encodeOpenSshPrivateKey,
  isOfActiveKey,
  openSshLine,
  type KeySet,
} from '../certificates/index.js';
import { routeName } from '../tunnels/index.js';
import type { AgentServices } from './agent-services.js';
import { TlsEnd } from './tls-end.js';

const generate = promisify(generateKeyPair);

/** Host certificates for native transports are replaced after a day, long before their end. */
const sshLifeMs = 24 * 3_600_000;

export interface ServedName {
  readonly kind: string;
  readonly name: string;
  readonly alpn: readonly string[];
}

/** A certificate that was made for the resource, until another one takes its place. */
interface Made {
  readonly certificate: string;
  /** Milliseconds since the epoch, as are all times here. */
  readonly made: number;
  readonly renewAt: number;
  /** The last state of the authority whose signing key it was found to be of. */
  authority?: KeySet;
}

/**
 * What proves to clients that they reached one resource: keys that never leave
 * this process, and certificates that are renewed when half their life is over, or when another
 * key of the authority signs.
 */
export class ServerIdentity implements ServerCredentials {
  #tls: (Made & { readonly end: TlsEnd; readonly authorities: string }) | undefined;
  #openSsh: (Made & { readonly credential: OpenSshCredential }) | undefined;
  #making: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly served: ServedName,
    private readonly services: Pick<AgentServices, 'signing' | 'view' | 'cluster' | 'now'>,
  ) {}

  get hostname(): string {
    return routeName(this.services.cluster, this.served.kind, this.served.name);
  }

  tls(): Promise<TlsEnd> {
    return this.#once(async () => {
      const { x509 } = this.services.view.bundle('user');
      const authorities = x509.join('');
      if (this.#tls?.authorities === authorities && this.#isCurrent(this.#tls)) return this.#tls.end;
      const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
      const spki = publicKey.export({ format: 'pem', type: 'spki' }) as string;
      const certificate = await this.services.signing.server(this.served, spki);
      const key = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
      const end = new TlsEnd({
        certificate,
        key,
        clientAuthorities: x509,
        name: this.hostname,
        cluster: this.services.cluster,
        alpn: this.served.alpn,
      });
      this.#tls = {
        end,
        authorities,
        certificate,
        made: this.#now(),
        renewAt: this.#halfLife(new X509Certificate(certificate).validTo),
      };
      return end;
    });
  }

  openSsh(): Promise<OpenSshCredential> {
    return this.#once(async () => {
      if (this.#openSsh && this.#isCurrent(this.#openSsh)) return this.#openSsh.credential;
      const { publicKey, privateKey } = await generate('ed25519');
      const line = openSshLine(encodeOpenSshKey(publicKey));
      const credential = {
        certificate: await this.services.signing.openSshHost(this.served, line),
        key: encodeOpenSshPrivateKey(privateKey, this.hostname),
      };
      const { certificate } = credential;
      const made = this.#now();
      this.#openSsh = { credential, certificate, made, renewAt: made + sshLifeMs };
      return credential;
    });
  }

  /** Good for long enough, and of the key that signs now. */
  #isCurrent(made: Made): boolean {
    const now = this.#now();
    // A clock that was put back makes it one of the future, which clients do not believe.
    if (made.renewAt <= now || made.made > now) return false;
    const authority = this.services.view.keySet('host');
    if (!authority || made.authority === authority) return true;
    if (!isOfActiveKey(made.certificate, authority)) return false;
    made.authority = authority;
    return true;
  }

  /** One at a time: a burst of clients makes one certificate. */
  #once<T>(work: () => Promise<T>): Promise<T> {
    const made = this.#making.then(work, work);
    this.#making = made.catch(() => {});
    return made;
  }

  #halfLife(validTo: string): number {
    return (this.#now() + Date.parse(validTo)) / 2;
  }

  #now(): number {
    return this.services.now().getTime();
  }
}
