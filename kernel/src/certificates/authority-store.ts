import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import type { Store } from '../storage/index.js';
import { authorityKinds, halvesOf, type AuthorityHalf, type AuthorityKind } from './authority-kind.js';
import { generateAuthorityKey } from './authority-key.js';
import { decodeKeySet, encodeKeySet, type KeySet } from './key-set.js';
import type { Sealer } from './sealing.js';
import { SigningKey } from './signing-key.js';

/** Public halves lie below this key; replicas follow it. */
export const authorityPrefix = '/authorities/';
/** Sealed private halves lie below this key; nobody but an Auth Service reads it. */
export const sealedAuthorityPrefix = '/sealed/authorities/';

export interface AuthorityStoreOptions {
  readonly store: Pick<Store, 'get' | 'commit'>;
  readonly sealer: Sealer;
  readonly cluster: string;
  readonly now: () => Date;
}

/** An authority of an Auth Service: the public document, and the opened private halves of the key that signs. */
export interface OpenAuthority {
  readonly set: KeySet;
  readonly keyId: string;
  readonly halves: ReadonlyMap<AuthorityHalf, SigningKey>;
}

/**
 * Reads the cluster's authorities and creates those that are missing. Several
 * Auth Services may do so at once: the first to commit wins, and the others
 * read what it wrote. Rejects with `invalid_config` where the store belongs to
 * another cluster, and with `internal` where a private half does not open.
 */
export async function openAuthorities(
  options: AuthorityStoreOptions,
): Promise<ReadonlyMap<AuthorityKind, OpenAuthority>> {
  const opened = authorityKinds.map(async (kind) => [kind, await openOne(kind, options)] as const);
  return new Map(await Promise.all(opened));
}

async function openOne(kind: AuthorityKind, options: AuthorityStoreOptions): Promise<OpenAuthority> {
  const set = (await readKeySet(kind, options)) ?? (await createKeySet(kind, options));
  const [keyId = ''] = set.active;
  return { set, keyId, halves: await openHalves(set, keyId, options) };
}

async function readKeySet(kind: AuthorityKind, { store, cluster }: AuthorityStoreOptions): Promise<KeySet | undefined> {
  const entry = await store.get(authorityPrefix + kind);
  if (!entry) return undefined;
  const set = decodeKeySet(entry.value);
  if (set.kind !== kind) throw new PosternError('internal', `the stored ${kind} authority says that it is ${set.kind}`);
  if (set.cluster !== cluster)
    throw new PosternError(
      'invalid_config',
      `the store belongs to cluster ${set.cluster}, not to ${cluster}: the name of a cluster cannot be changed`,
    );
  return set;
}

async function createKeySet(kind: AuthorityKind, options: AuthorityStoreOptions): Promise<KeySet> {
  const { store, cluster, now } = options;
  const { key, secrets } = await generateAuthorityKey(cluster, kind, now());
  const set: KeySet = { v: 1, kind, cluster, phase: 'standby', active: [key.id], trusted: [key] };
  const sealed = await sealHalves(set, key.id, secrets, options.sealer);
  const publicKey = authorityPrefix + kind;
  try {
    await store.commit({
      check: [{ key: publicKey, revision: 0 }],
      put: [
        { key: publicKey, value: encodeKeySet(set) },
        { key: sealedKey(kind, key.id), value: sealed },
      ],
    });
    return set;
  } catch (cause) {
    if (!PosternError.is(cause) || cause.code !== 'conflict') throw cause;
    const winner = await readKeySet(kind, options);
    if (!winner) throw cause;
    return winner;
  }
}

const sealedDocument = z.strictObject({ v: z.literal(1), halves: z.record(z.string(), z.string().max(16_384)) });

async function sealHalves(
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

async function openHalves(
  set: KeySet,
  id: string,
  { store, sealer }: AuthorityStoreOptions,
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

const sealedKey = (kind: AuthorityKind, id: string): string => `${sealedAuthorityPrefix}${kind}/${id}`;

/** Cluster, authority, key and half: a sealed key opens in its own place and in no other. */
const sealName = (set: KeySet, id: string, half: AuthorityHalf): string =>
  `authorities/${set.cluster}/${set.kind}/${id}/${half}`;
