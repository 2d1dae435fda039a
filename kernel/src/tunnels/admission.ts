import { Refusal } from './refusal.js';
import { limitKey } from './source-address.js';

/** How much one port, and one address, may have open at a time. */
export interface AdmissionLimits {
  /** Live connections of one address (of one /64 for IPv6). */
  readonly perAddress: number;
  /** Connections of one address that have not said yet what they want. */
  readonly unclassifiedPerAddress: number;
  /** The same, of all addresses together. */
  readonly unclassified: number;
}

export const admissionLimits: AdmissionLimits = { perAddress: 1000, unclassifiedPerAddress: 256, unclassified: 4096 };

interface Address {
  live: number;
  readonly unclassified: Set<Seat>;
}

/**
 * Counts the connections of a port. Who is new is let in, and the oldest that
 * has not said what it wants is dropped for it: idle connections in any number
 * use bounded memory and cannot keep out a client that says what it wants.
 */
export class Admission {
  readonly #addresses = new Map<string, Address>();
  readonly #unclassified = new Set<Seat>();

  constructor(readonly limits: AdmissionLimits = admissionLimits) {}

  /** Connections that have not said yet what they want. */
  get unclassified(): number {
    return this.#unclassified.size;
  }

  /** Addresses that have a live connection. */
  get addresses(): number {
    return this.#addresses.size;
  }

  /**
   * Lets a connection in. `crowdOut` is called when it must make room for
   * another. Without a source it counts against no address until
   * {@link Seat.sit}: a load balancer's address is nobody's.
   */
  enter(crowdOut: (refusal: Refusal) => void): Seat {
    const seat = new Seat(this, crowdOut);
    dropOldest(this.#unclassified, this.limits.unclassified, 'at this port');
    this.#unclassified.add(seat);
    return seat;
  }

  /** For {@link Seat} only. */
  join(seat: Seat, source: string): string {
    const key = limitKey(source);
    const address = this.#addresses.get(key) ?? { live: 0, unclassified: new Set() };
    if (address.live >= this.limits.perAddress)
      throw new Refusal('address_limit', `${this.limits.perAddress} connections from this address are open already`);
    // Counted before room is made, since whoever leaves last takes the entry away.
    address.live += 1;
    this.#addresses.set(key, address);
    dropOldest(address.unclassified, this.limits.unclassifiedPerAddress, 'of this address');
    address.unclassified.add(seat);
    return key;
  }

  /** For {@link Seat} only. */
  settle(seat: Seat, key: string | undefined): void {
    this.#unclassified.delete(seat);
    if (key !== undefined) this.#addresses.get(key)?.unclassified.delete(seat);
  }

  /** For {@link Seat} only. */
  part(key: string): void {
    const address = this.#addresses.get(key);
    if (!address) return;
    address.live -= 1;
    if (address.live === 0) this.#addresses.delete(key);
  }
}

/** One connection's place among the others. */
export class Seat {
  #key: string | undefined;
  #left = false;

  constructor(
    private readonly admission: Admission,
    readonly crowdOut: (refusal: Refusal) => void,
  ) {}

  /** Counts the connection against its source. Throws a {@link Refusal} where that has too many. */
  sit(source: string): void {
    if (!this.#left && this.#key === undefined) this.#key = this.admission.join(this, source);
  }

  /** The connection said what it wants: it is no longer dropped for others. */
  classified(): void {
    this.admission.settle(this, this.#key);
  }

  /** The connection is over, or belongs to an agent and counts against nobody. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.classified();
    if (this.#key !== undefined) this.admission.part(this.#key);
  }
}

/** Makes room for one more. The oldest is first, since a set keeps the order in which it was filled. */
function dropOldest(seats: Set<Seat>, limit: number, whose: string): void {
  if (seats.size < limit) return;
  const [oldest] = seats;
  oldest?.crowdOut(new Refusal('crowded_out', `${limit} newer connections ${whose} had not said what they want`));
  oldest?.classified();
}
