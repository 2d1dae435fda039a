import type { Logger } from '@postern/plugin-sdk';
import type { TlsFiles } from '../tls-files.js';

/** A server, and the schema in one of its databases that belongs to the cluster. */
export interface PostgresOptions {
  /** A name, an address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Asked at every connection, so that a password that was changed is found. */
  readonly password?: () => Promise<string>;
  /** Absent: no encryption. Files are read at every connection. A unix socket is never encrypted. */
  readonly tls?: PostgresTls | undefined;
  /** Lower case letters, digits and underscores: it is part of statements. Created where it is missing and the user may. */
  readonly schema: string;
  /** Rejects with `not_found` rather than create anything. */
  readonly existing?: boolean;
  readonly now?: () => Date;
  /** How long one request may take, with the connection that it needs. Default 10,000 ms. */
  readonly timeoutMs?: number;
  /** How long watchers wait for a server that is away, before they fail. Default 120,000 ms. */
  readonly patienceMs?: number;
  /** How many connections there may be, besides one that listens. Default 8. */
  readonly connections?: number;
  /** How many revisions of the change feed are kept. Default 10,000. */
  readonly keepRevisions?: number;
  /** How many bytes of keys and values the change feed keeps. Default 64 MiB. */
  readonly keepBytes?: number;
  /** How often expired entries are swept and the feed is shortened. Default 1,000 ms. */
  readonly sweepIntervalMs?: number;
  /** How often the table is read where no notification has come. Default 1,000 ms. */
  readonly pollIntervalMs?: number;
  readonly log?: Pick<Logger, 'error' | 'warn'>;
}

/** The server's name is always verified. */
export interface PostgresTls extends TlsFiles {
  /** Instead of the host. */
  readonly serverName?: string | undefined;
}
