import type { Duplex } from 'node:stream';
import type { Identity } from '../identity.js';
import type { AnyProtocol } from '../protocol.js';
import type { ClientLink } from '../session.js';
import type { SessionHost } from './session-host.js';

/** The client's side of one session; remembers the identity that was verified last. */
export class HostedLink implements ClientLink {
  #identity: Identity | undefined;

  constructor(
    private readonly host: SessionHost<AnyProtocol>,
    readonly stream: Duplex,
  ) {
    this.#identity = host.identity;
  }

  get connection(): number {
    return this.host.connection;
  }

  get source(): string {
    return this.host.source;
  }

  get alpn(): string | undefined {
    return this.host.alpn;
  }

  get server(): ClientLink['server'] {
    return this.host.server;
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  async verify(credential: Parameters<ClientLink['verify']>[0]): Promise<Identity> {
    this.#identity = await this.host.verify(credential);
    return this.#identity;
  }
}
