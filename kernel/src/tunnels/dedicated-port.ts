import type { ProxyHalf } from './proxy-halves.js';

/** A port that leads to resources of one kind only, for clients that cannot say in TLS whom they want. */
export interface DedicatedPort {
  readonly kind: string;
  /** The full name of the only resource that is reached here; without it, names are as on the public port. */
  readonly name?: string;
  /** Of the kind's plugin, where it has one. */
  readonly half?: ProxyHalf;
}
