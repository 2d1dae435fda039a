import { PosternError } from '@postern/plugin-sdk';
import type { Store } from '../storage/index.js';
import { authorityKinds, type AuthorityHalf, type AuthorityKind } from './authority-kind.js';
import { generateAuthorityKey } from './authority-key.js';
import { decodeKeySet, encodeKeySet, type KeySet } from './key-set.js';
import { openHalves, sealedKey, sealHalves } from './sealed-authority.js';
import type { Sealer } from './sealing.js';
import type { SigningKey } from './signing-key.js';

/** Public halves lie below this key; replicas follow it. */
export const authorityPrefix = '/authorities/';

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
  const { set } = (await readKeySet(kind, options)) ?? { set: await createKeySet(kind, options) };
  return openSet(set, options);
}

/** Opens the private halves of the key that signs. Rejects with `internal` where one does not open. */
export async function openSet(set: KeySet, options: AuthorityStoreOptions): Promise<OpenAuthority> {
  const [keyId = ''] = set.active;
  return { set, keyId, halves: await openHalves(set, keyId, options) };
}

/** One authority as it is stored, with the revision that wrote it; `undefined` where there is none. */
export async function readKeySet(
  kind: AuthorityKind,
  { store, cluster }: AuthorityStoreOptions,
): Promise<{ readonly set: KeySet; readonly revision: number } | undefined> {
  const entry = await store.get(authorityPrefix + kind);
  if (!entry) return undefined;
  const set = decodeKeySet(entry.value);
  if (set.kind !== kind) throw new PosternError('internal', `the stored ${kind} authority says that it is ${set.kind}`);
  if (set.cluster !== cluster)
    throw new PosternError(
      'invalid_config',
      `the store belongs to cluster ${set.cluster}, not to ${cluster}: the name of a cluster cannot be changed`,
    );
  return { set, revision: entry.revision };
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
    return winner.set;
  }
}
