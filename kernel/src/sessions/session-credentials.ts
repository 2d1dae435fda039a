import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Credentials, OpenSshCredential, TlsCredential } from '@postern/plugin-sdk';
import { encodeOpenSshKey, encodeOpenSshPrivateKey, openSshLine } from '../certificates/index.js';
import type { AgentServices } from './agent-services.js';
import type { SessionProof } from './session-signing.js';

const generate = promisify(generateKeyPair);

/** What a session may present to its resource. Each key is made here, used for this session, and kept nowhere. */
export class SessionCredentials implements Credentials {
  constructor(
    private readonly services: Pick<AgentServices, 'signing' | 'secrets' | 'view'>,
    private readonly proof: SessionProof,
  ) {}

  async tls(name: string): Promise<TlsCredential> {
    const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ format: 'pem', type: 'spki' }) as string;
    return {
      certificate: await this.services.signing.databaseClient(this.proof, name, spki),
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      authority: this.services.view.bundle('db').x509.join(''),
    };
  }

  async openSsh(login: string): Promise<OpenSshCredential> {
    const { publicKey, privateKey } = await generate('ed25519');
    const line = openSshLine(encodeOpenSshKey(publicKey));
    return {
      certificate: await this.services.signing.openSshLogin(this.proof, login, line),
      key: encodeOpenSshPrivateKey(privateKey, login),
    };
  }

  secret(name: string): Promise<string> {
    return this.services.secrets.read(name);
  }

  assertion(audience: string): Promise<string> {
    return this.services.signing.assertion(this.proof, audience);
  }
}
