import {
  assertionLifetime,
  signsFrom,
  upstreamLifetime,
  userLifetime,
  type AuthorityKind,
  type KeySet,
} from '../certificates/index.js';

/** Why the next phase of a rotation would break something. */
export interface RotationBlocker {
  readonly reason: string;
  /** When it is over by itself; absent where nobody knows. */
  readonly until?: Date;
  /** Whether somebody has to do something first: a rotation with a grace period takes it for done. */
  readonly byHand?: boolean;
}

/** How long certificates that an authority signed go on being shown. What is renewed by itself takes no time. */
const lifetimes: Readonly<Partial<Record<AuthorityKind, number>>> = {
  user: userLifetime.maximumMs,
  db_client: upstreamLifetime.maximumMs,
  openssh: upstreamLifetime.maximumMs,
  jwt: assertionLifetime.maximumMs,
};

/** What others must have installed before the new key may sign. */
const installed: Readonly<Partial<Record<AuthorityKind, string>>> = {
  db_client: 'database servers must trust the new key first: postern ca export db_client',
  openssh: 'OpenSSH servers without an agent must trust the new key first: postern ca export openssh',
};

/**
 * What stands in the way of the next phase: nothing, where the way on (or back)
 * breaks nobody. Pure. `services` are parts of the cluster that still show
 * certificates of another key than the one that signs.
 */
export function rotationBlockers(set: KeySet, now: Date, services: readonly string[]): readonly RotationBlocker[] {
  if (set.phase === 'standby') return [];
  const waits = set.phase === 'init' || set.phase === 'update_clients' ? beforeItSigns(set) : beforeOneIsDropped(set);
  const lagging = services.map((name) => ({ reason: `${name} has not renewed its certificate yet` }));
  return [...waits.filter(({ until }) => until === undefined || until > now), ...lagging];
}

function beforeItSigns({ kind, phase, trusted }: KeySet): readonly RotationBlocker[] {
  const next = phase === 'init' ? 'update_clients' : 'update_servers';
  if (signsFrom[kind] !== next) return [];
  const reason = installed[kind];
  if (reason !== undefined) return [{ reason, byHand: true }];
  if (kind !== 'host') return [];
  // Users learn of the new key when they log in.
  const began = trusted.at(-1)?.created ?? '';
  return [
    {
      reason: 'users who logged in before the rotation began trust the old key alone',
      until: new Date(Date.parse(began) + userLifetime.maximumMs),
    },
  ];
}

function beforeOneIsDropped({ kind, switched }: KeySet): readonly RotationBlocker[] {
  if (switched === undefined) return [];
  if (kind === 'db')
    return [
      { reason: 'database servers must have certificates of the key that stays: postern ca server', byHand: true },
    ];
  const lifetime = lifetimes[kind];
  if (lifetime === undefined) return [];
  const until = new Date(Date.parse(switched) + lifetime);
  return [{ reason: 'certificates of the key that goes are in use until they end', until }];
}
