import dns from 'node:dns/promises';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { PosternError, type Endpoint } from '@postern/plugin-sdk';
import { AddressSet, normalAddress } from '../tunnels/index.js';

export interface DialerOptions {
  /** CIDR blocks that may be dialled; what is in `deny` may not, whatever `allow` says. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly timeoutMs?: number;
  /** All addresses of a name; asks the system where absent. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/** What no resource can have. Systems take it for the machine itself, whatever is denied of that. */
const nowhere = new AddressSet(['0.0.0.0/8', '::/128']);

/**
 * Connects to resources. The address is checked after the name was resolved,
 * and the checked address is the one that is dialled: a name that resolves to
 * something else a moment later changes nothing.
 */
export class ResourceDialer {
  readonly #allow: AddressSet;
  readonly #deny: AddressSet;
  readonly #timeoutMs: number;
  readonly #lookup: (name: string) => Promise<readonly string[]>;

  /** Throws `invalid_config` for a malformed block. */
  constructor({ allow, deny, timeoutMs = 10_000, resolve = systemLookup }: DialerOptions) {
    this.#allow = new AddressSet(allow);
    this.#deny = new AddressSet(deny);
    this.#timeoutMs = timeoutMs;
    this.#lookup = resolve;
  }

  /** Rejects with `upstream_unreachable`, or with `access_denied` where no address of the name may be dialled. */
  async dial({ host, port }: Endpoint): Promise<Duplex> {
    const addresses = await this.#resolve(host);
    const permitted = addresses.filter((address) => this.#permits(address));
    if (permitted.length === 0)
      throw new PosternError(
        'access_denied',
        `${host} resolves to ${addresses.join(', ')}, which this agent may not dial`,
        {
          publicMessage: 'this agent may not dial the address of the resource',
        },
      );
    let failure: unknown;
    for (const address of permitted) {
      try {
        return await connect(address, port, this.#timeoutMs);
      } catch (cause) {
        failure = cause;
      }
    }
    const detail = failure instanceof Error ? failure.message : String(failure);
    throw unreachable(`${host}:${port} cannot be reached: ${detail}`, failure);
  }

  async #resolve(host: string): Promise<readonly string[]> {
    if (net.isIP(host) !== 0) return [normalAddress(host)];
    const found = await this.#lookup(host).catch((cause: unknown) => {
      throw unreachable(`${host} does not resolve`, cause);
    });
    return found.map(normalAddress);
  }

  #permits(address: string): boolean {
    return this.#allow.has(address) && !this.#deny.has(address) && !nowhere.has(address);
  }
}

const systemLookup = async (name: string): Promise<readonly string[]> =>
  (await dns.lookup(name, { all: true })).map(({ address }) => address);

const unreachable = (message: string, cause: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { cause, publicMessage: 'the resource cannot be reached' });

function connect(host: string, port: number, timeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const fail = (cause: Error): void => {
      socket.destroy();
      reject(cause);
    };
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}
