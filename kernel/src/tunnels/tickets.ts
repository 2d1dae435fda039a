import { PosternError } from '@postern/plugin-sdk';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type net from 'node:net';

export interface Ticket {
  /** 128 random bits as 32 hexadecimal digits. */
  readonly ticket: string;
  /** The connection that came with it. Rejects with `unavailable` when it expires or is withdrawn. */
  readonly redeemed: Promise<net.Socket>;
  /** Nobody waits any more: the ticket is void. */
  readonly withdraw: (reason: string) => void;
}

interface Issued {
  readonly secret: Buffer;
  readonly resolve: (socket: net.Socket) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Tickets by which an agent's new connection proves that it is the one that was
 * asked for: each is good once and for a short time. They are found by their
 * hash and then compared in constant time, so that no timing tells how much of
 * a guess was right.
 */
export class Tickets {
  readonly #issued = new Map<string, Issued>();

  constructor(private readonly lifetimeMs = 10_000) {}

  /** How many are out. */
  get size(): number {
    return this.#issued.size;
  }

  issue(): Ticket {
    const secret = randomBytes(16);
    const key = keyOf(secret);
    let withdraw!: (reason: string) => void;
    const redeemed = new Promise<net.Socket>((resolve, reject) => {
      withdraw = (reason) => {
        const issued = this.#issued.get(key);
        if (!issued || !this.#issued.delete(key)) return;
        clearTimeout(issued.timer);
        reject(new PosternError('unavailable', reason));
      };
      const late = `the agent did not come within ${this.lifetimeMs} ms`;
      this.#issued.set(key, { secret, resolve, timer: setTimeout(() => withdraw(late), this.lifetimeMs).unref() });
    });
    return { ticket: secret.toString('hex'), redeemed, withdraw };
  }

  /** Gives the connection to whoever waits for it. False for a ticket that is not out. */
  redeem(ticket: string, socket: net.Socket): boolean {
    const presented = Buffer.from(ticket, 'hex');
    const key = keyOf(presented);
    const issued = this.#issued.get(key);
    if (presented.length !== 16 || !issued || !timingSafeEqual(presented, issued.secret)) return false;
    this.#issued.delete(key);
    clearTimeout(issued.timer);
    issued.resolve(socket);
    return true;
  }
}

const keyOf = (secret: Buffer): string => createHash('sha256').update(secret).digest('base64');
