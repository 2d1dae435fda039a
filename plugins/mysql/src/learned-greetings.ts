import { randomBytes } from 'node:crypto';
import { token } from '@postern/plugin-sdk';
import { capability, offered, offeredByMariadb } from './capabilities.js';
import type { Greeting } from './handshake.js';

/** What every server of the last ten years can do. */
const common =
  capability.longPassword |
  capability.foundRows |
  capability.connectWithDatabase |
  capability.localFiles |
  capability.protocol41 |
  capability.transactions |
  capability.secureConnection |
  capability.multiStatements |
  capability.multiResults |
  capability.psMultiResults |
  capability.pluginAuth |
  capability.connectAttributes |
  capability.lengthEncodedAuth;

/** Said where the server is not known yet. Clients take a version for what they may use, so it is an old one. */
export const usualGreeting: Omit<Greeting, 'connection' | 'nonce'> = {
  version: '5.7.0-postern',
  capabilities: common,
  mariadb: 0,
  // utf8mb4_general_ci and autocommit.
  charset: 45,
  status: 2,
  method: 'mysql_native_password',
};

/** A method by which a client proves nothing here; it must only be one that clients have. */
const usualMethods = ['mysql_native_password', 'caching_sha2_password'];

/** A greeting with a nonce of its own, in which no byte is 0. */
export function greetingFor(like: Omit<Greeting, 'connection' | 'nonce'>, connection: number): Greeting {
  const nonce = randomBytes(20).map((byte) => byte & 0x7f || 1);
  return { ...like, connection, nonce: Buffer.from(nonce) };
}

/**
 * What servers have greeted with, by resource: clients are greeted before it is
 * known who they are, and nobody dials a database for a stranger. The first
 * client of a resource may therefore be told less than its server can.
 */
export class LearnedGreetings {
  readonly #byResource = new Map<string, Greeting>();

  learn(resource: string, greeting: Greeting): void {
    this.#byResource.set(resource, greeting);
  }

  /** What to offer to clients of a resource. */
  offer(resource: string, localFiles: boolean): Omit<Greeting, 'connection' | 'nonce'> {
    const learned = this.#byResource.get(resource);
    if (!learned) return { ...usualGreeting, capabilities: offered(usualGreeting.capabilities, localFiles) };
    const { version, capabilities, mariadb, charset, status, method } = learned;
    return {
      version,
      capabilities: offered(capabilities, localFiles),
      mariadb: offeredByMariadb(mariadb),
      charset,
      status,
      method: usualMethods.includes(method) ? method : 'mysql_native_password',
    };
  }
}
export const LearnedGreetingsToken = token<LearnedGreetings>('LearnedGreetings');
