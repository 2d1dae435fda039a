import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Credentials, OpenSshCredential, TlsCredential } from '@postern/plugin-sdk';
import { encodeOpenSshKey, encodeOpenSshPrivateKey, openSshLine } from '../certificates/index.js';
import type { AgentServices } from './agent-services.js';
import type { SessionProof } from './session-signing.js';

const generate = promisify(generateKeyPair);

export interface SessionCredentialsOptions {
  readonly services: Pick<AgentServices, 'signing' | 'secrets' | 'view' | 'certificates'>;
  readonly proof: SessionProof;
  /** Decides now, here, whether the session may become a name with a certificate that was issued to an earlier one. */
  readonly mayReuse: (name: string) => boolean;
}

/**
 * What a session may present to its resource. Keys are made here and kept
 * nowhere, but for those of the agent's client certificates.
 */
export class SessionCredentials implements Credentials {
  constructor(private readonly options: SessionCredentialsOptions) {}

  async tls(name: string): Promise<TlsCredential> {
    const { proof, services } = this.options;
    const { signing, certificates, view } = services;
    const wanted = { resource: proof.resource, name };
    const kept = this.options.mayReuse(name) ? certificates.find(wanted) : undefined;
    const authority = view.bundle('db').x509.join('');
    if (kept) return kept.authority === authority ? kept : { ...kept, authority };
    const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const certificate = await signing.databaseClient(proof, name, spki);
    const credential = { certificate, key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string, authority };
    certificates.keep(wanted, credential);
    return credential;
  }

  async openSsh(login: string): Promise<OpenSshCredential> {
    const { publicKey, privateKey } = await generate('ed25519');
    const line = openSshLine(encodeOpenSshKey(publicKey));
    return {
      certificate: await this.options.services.signing.openSshLogin(this.options.proof, login, line),
      key: encodeOpenSshPrivateKey(privateKey, login),
    };
  }

  secret(name: string): Promise<string> {
    return this.options.services.secrets.read(name);
  }

  assertion(audience: string): Promise<string> {
    return this.options.services.signing.assertion(this.options.proof, audience);
  }
}
