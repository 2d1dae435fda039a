import { PosternError } from '@postern/plugin-sdk';
import { signsFrom } from './authority-kind.js';
import type { AuthorityKey, KeySet, RotationPhase } from './key-set.js';

/** What an operator can do to an authority. */
export const rotationSteps = ['start', 'advance', 'rollback'] as const;
export type RotationStep = (typeof rotationSteps)[number];

/** How many keys an `audit` authority keeps that verify what they signed long ago. */
const keptAuditKeys = 7;

/** The phase that {@link advanceRotation} leads to. */
export const followingPhase: Readonly<Record<RotationPhase, RotationPhase | undefined>> = {
  standby: undefined,
  init: 'update_clients',
  update_clients: 'update_servers',
  update_servers: 'standby',
  rollback: 'standby',
};

/**
 * Begins a rotation: the new key is trusted from now on, and signs nothing yet.
 * With `graceMs`, each phase lasts so long and the next begins by itself.
 * Rejects with `conflict` during a rotation.
 */
export function startRotation(set: KeySet, incoming: AuthorityKey, now: Date, graceMs?: number): KeySet {
  if (set.phase !== 'standby')
    throw PosternError.public('conflict', `the ${set.kind} authority is being rotated: it is in phase ${set.phase}`);
  const kept = set.kind === 'audit' ? set.trusted.slice(0, keptAuditKeys) : set.trusted;
  const begun = enter({ ...set, incoming: incoming.id, trusted: [...kept, incoming] }, 'init', now);
  return graceMs === undefined ? begun : { ...begun, graceMs };
}

/** The next phase of a rotation, or of its way back. Rejects with `conflict` where there is none. */
export function advanceRotation(set: KeySet, now: Date): KeySet {
  const phase = followingPhase[set.phase];
  if (phase === undefined)
    throw PosternError.public(
      'conflict',
      `the ${set.kind} authority is not being rotated; start with: postern ca rotate ${set.kind}`,
    );
  return phase === 'standby' ? finish(set, now) : enter(set, phase, now);
}

/**
 * The way back: the old key signs again, and both are trusted until the next
 * step forgets the new one. Rejects with `conflict` outside a rotation.
 */
export function rollBackRotation(set: KeySet, now: Date): KeySet {
  if (set.phase === 'standby' || set.phase === 'rollback')
    throw PosternError.public('conflict', `there is no rotation of the ${set.kind} authority to take back`);
  const { graceMs: _, ...manual } = set;
  return enter(manual, 'rollback', now);
}

/** The ids of keys that will not sign again: their private halves are of no use. */
export const droppedKeys = (before: KeySet, after: KeySet): readonly string[] =>
  before.trusted
    .map(({ id }) => id)
    .filter((id) => !after.active.includes(id) && after.incoming !== id && after.trusted[0]?.id !== id);

function enter(set: KeySet, phase: RotationPhase, now: Date): KeySet {
  const since = now.toISOString();
  const active = [signer(set, phase)];
  return { ...set, phase, since, active, ...(active[0] !== set.active[0] && { switched: since }) };
}

function signer({ kind, trusted, incoming = '' }: KeySet, phase: RotationPhase): string {
  const isNew = phase === 'update_servers' || (phase === 'update_clients' && signsFrom[kind] === phase);
  return isNew ? incoming : (trusted[0]?.id ?? '');
}

/** Only one of the two keys is left; logs that were signed long ago are still verified by the old ones. */
function finish(set: KeySet, now: Date): KeySet {
  const { incoming, graceMs: _, ...rest } = set;
  const since = now.toISOString();
  if (set.phase === 'rollback') {
    // What it signed meanwhile of a log is there for good.
    const trusted = set.kind === 'audit' ? set.trusted : set.trusted.filter(({ id }) => id !== incoming);
    return { ...rest, phase: 'standby', since, active: [trusted[0]?.id ?? ''], trusted };
  }
  const current = set.trusted.filter(({ id }) => id === incoming);
  const retired = set.kind === 'audit' ? set.trusted.filter(({ id }) => id !== incoming) : [];
  return {
    ...rest,
    phase: 'standby',
    since,
    rotated: since,
    active: current.map(({ id }) => id),
    trusted: [...current, ...retired],
  };
}
