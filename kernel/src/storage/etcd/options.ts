import type { Logger } from '@postern/plugin-sdk';
import type { TlsFiles } from '../tls-files.js';

/** A cluster of etcd, and the keys in it that belong to this cluster of ours. */
export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`: every member. The first that answers is used. */
  readonly endpoints: readonly string[];
  /** What every key begins with. Ends with a slash. */
  readonly prefix: string;
  readonly user?: string | undefined;
  /** Asked at every login, so that a password that was changed is found. */
  readonly password?: () => Promise<string>;
  readonly tls?: TlsFiles | undefined;
  readonly now?: () => Date;
  /** How long one request may take. Default 10,000 ms. */
  readonly timeoutMs?: number;
  /** How long watchers wait for a cluster that is away, before they fail. Default 120,000 ms. */
  readonly patienceMs?: number;
  /** How often the cluster is asked whether it is there. Default 2,000 ms. */
  readonly pulseMs?: number;
  /** For how long the past is kept for watchers. Nothing is compacted where it is absent. */
  readonly keepMs?: number | undefined;
  /** How long after its expiry an entry is deleted by its lease. Default 2 s. */
  readonly leaseGraceSeconds?: number;
  readonly log?: Pick<Logger, 'error' | 'warn'>;
}
