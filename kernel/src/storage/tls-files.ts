import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';

/** Paths of PEM files, by which a client and a server prove themselves to each other. */
export interface TlsFiles {
  /** The authorities that the server's certificate may be of; the system's where absent. */
  readonly authorities?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** What is in the files now. Nobody is spoken to who cannot prove his name. */
export const readTlsFiles = ({
  authorities,
  certificate,
  key,
}: TlsFiles): SecureContextOptions & { rejectUnauthorized: true } => ({
  minVersion: 'TLSv1.2',
  rejectUnauthorized: true,
  ...(authorities !== undefined && { ca: readFileSync(authorities) }),
  ...(certificate !== undefined && { cert: readFileSync(certificate) }),
  ...(key !== undefined && { key: readFileSync(key) }),
});
