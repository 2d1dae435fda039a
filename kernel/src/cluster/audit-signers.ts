import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatVerifierKey, logOrigin, noteVerifier, type NoteSigner, type NoteVerifier } from '../audit/index.js';
import { replaceFileDurably } from '../audit/durable-file.js';
import type { CertificateIssuer } from '../certificates/index.js';

/** Signs the heads of one instance's log by the `audit` key that signs now. */
export function auditSigner(issuer: CertificateIssuer, instance: string): NoteSigner {
  const key = issuer.auditKey();
  const name = logOrigin(issuer.cluster, instance);
  return { name, publicKey: raw(key.publicKey), sign: (bytes) => key.sign(bytes) };
}

/**
 * The other `audit` keys: they only verify what they signed. Not those of the
 * verifiers' file: whoever could write to the disk would name a key of his own.
 */
export function retiredAuditKeys(issuer: CertificateIssuer, instance: string): readonly NoteVerifier[] {
  const { id } = issuer.auditKey();
  const others = issuer.bundle('audit').audit.filter((key) => key.id !== id);
  return others.map(({ publicKey }) =>
    noteVerifier(logOrigin(issuer.cluster, instance), raw(createPublicKey(publicKey))),
  );
}

/** The text form of the key that verifies what a signer signs (C2SP signed-note). */
export const verifierOf = ({ name, publicKey }: NoteSigner): string => formatVerifierKey(name, publicKey);

/** Adds a key to the file, if it is not there yet: older checkpoints need older keys. */
export async function keepVerifier(file: string, key: string): Promise<void> {
  const before = await keptVerifiers(file);
  if (before.split('\n').includes(key)) return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await replaceFileDurably(file, Buffer.from(`${before}${key}\n`));
}

/** The text of the file; empty where there is none yet. */
async function keptVerifiers(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw cause;
  });
}

const raw = (key: KeyObject): Buffer => Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
