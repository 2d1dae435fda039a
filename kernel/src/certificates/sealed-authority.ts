import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import type { Store } from '../storage/index.js';
import { halvesOf, type AuthorityHalf, type AuthorityKind } from './authority-kind.js';
import type { KeySet } from './key-set.js';
import type { Sealer } from './sealing.js';
import { SigningKey } from './signing-key.js';

/** Sealed private halves lie below this key; nobody but an Auth Service reads it. */
export const sealedAuthorityPrefix = '/sealed/authorities/';

const sealedDocument = z.strictObject({ v: z.literal(1), halves: z.record(z.string(), z.string().max(16_384)) });

/** The text that keeps the private halves of one key; the secrets are wiped. */
export async function sealHalves(
  set: KeySet,
  id: string,
  secrets: ReadonlyMap<AuthorityHalf, Buffer>,
  sealer: Sealer,
): Promise<string> {
  const halves: Record<string, string> = {};
  for (const [half, secret] of secrets) {
    halves[half] = await sealer.seal(sealName(set, id, half), secret);
    secret.fill(0);
  }
  return JSON.stringify({ v: 1, halves });
}

/** Opens what {@link sealHalves} made. Rejects with `internal` where a half is missing or does not open. */
export async function openHalves(
  set: KeySet,
  id: string,
  { store, sealer }: { readonly store: Pick<Store, 'get'>; readonly sealer: Sealer },
): Promise<ReadonlyMap<AuthorityHalf, SigningKey>> {
  const entry = await store.get(sealedKey(set.kind, id));
  const document = entry && readSealed(entry.value);
  const halves = new Map<AuthorityHalf, SigningKey>();
  for (const half of halvesOf[set.kind]) {
    const sealed = document?.[half];
    if (sealed === undefined)
      throw new PosternError('internal', `the private half ${half} of the ${set.kind} authority is missing`);
    const secret = await sealer.open(sealName(set, id, half), sealed);
    halves.set(half, SigningKey.fromPkcs8(secret));
    secret.fill(0);
  }
  return halves;
}

function readSealed(text: string): Readonly<Record<string, string>> {
  try {
    return sealedDocument.parse(JSON.parse(text)).halves;
  } catch {
    throw new PosternError('internal', 'the sealed key of an authority is malformed');
  }
}

/** Where the private halves of a key lie in the store. */
export const sealedKey = (kind: AuthorityKind, id: string): string => `${sealedAuthorityPrefix}${kind}/${id}`;

/** Cluster, authority, key and half: a sealed key opens in its own place and in no other. */
const sealName = (set: KeySet, id: string, half: AuthorityHalf): string =>
  `authorities/${set.cluster}/${set.kind}/${id}/${half}`;
