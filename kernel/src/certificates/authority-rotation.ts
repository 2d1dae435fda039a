import { PosternError } from '@postern/plugin-sdk';
import type { AuthorityKind } from './authority-kind.js';
import { generateAuthorityKey } from './authority-key.js';
import { authorityPrefix, readKeySet, type AuthorityStoreOptions } from './authority-store.js';
import { encodeKeySet, type KeySet } from './key-set.js';
import { advanceRotation, droppedKeys, rollBackRotation, startRotation, type RotationStep } from './rotation-step.js';
import { sealedKey, sealHalves } from './sealed-authority.js';

/** One step of an authority's rotation. */
export interface RotationRequest {
  readonly kind: AuthorityKind;
  readonly step: RotationStep;
  /** The phase that the caller has seen: another step that came in between is a `conflict`. */
  readonly from: KeySet['phase'];
  /** For `start`: how long each phase lasts, where the rotation goes on by itself. */
  readonly graceMs?: number | undefined;
  /** Called once the step is known to be possible, and before it is taken; where it rejects, nothing happens. */
  confirm?(to: KeySet['phase']): Promise<void>;
}

/**
 * Takes one step in the store, in one transaction: with it, either the new key
 * is there with both of its halves, or a dropped one is gone with both. Rejects
 * with `conflict` where the phase is another one, also when two ask at once.
 */
export async function rotateAuthority(request: RotationRequest, options: AuthorityStoreOptions): Promise<KeySet> {
  const { kind, step, from, graceMs } = request;
  const { store, cluster, sealer, now } = options;
  const found = await readKeySet(kind, options);
  if (!found) throw new PosternError('internal', `there is no ${kind} authority`);
  const { set, revision } = found;
  if (set.phase !== from)
    throw PosternError.public('conflict', `the ${kind} authority is in phase ${set.phase} and not ${from} any more`);
  const made = step === 'start' ? await generateAuthorityKey(cluster, kind, now()) : undefined;
  const after = made ? startRotation(set, made.key, now(), graceMs) : next(set, step, now());
  const key = authorityPrefix + kind;
  const sealed = made && {
    key: sealedKey(kind, made.key.id),
    value: await sealHalves(after, made.key.id, made.secrets, sealer),
  };
  await request.confirm?.(after.phase);
  await store.commit({
    check: [{ key, revision }],
    put: [{ key, value: encodeKeySet(after) }, ...(sealed ? [sealed] : [])],
    delete: droppedKeys(set, after).map((id) => sealedKey(kind, id)),
  });
  return after;
}

const next = (set: KeySet, step: RotationStep, now: Date): KeySet =>
  step === 'rollback' ? rollBackRotation(set, now) : advanceRotation(set, now);
