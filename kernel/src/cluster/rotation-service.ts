import { PosternError, type Logger } from '@postern/plugin-sdk';
import {
  authorityKinds,
  followingPhase,
  rotateAuthority,
  type AuthorityKind,
  type AuthorityStoreOptions,
  type KeySet,
  type RotationStep,
} from '../certificates/index.js';
import type { AuthorityFollower } from './authority-follower.js';
import type { ClusterView } from './cluster-view.js';
import type { Report } from './report.js';
import { rotationBlockers, type RotationBlocker } from './rotation-blockers.js';

export interface RotationServiceOptions extends AuthorityStoreOptions {
  readonly view: ClusterView;
  readonly authorities: AuthorityFollower;
  readonly report: Report;
  readonly logger: Logger;
}

/** One authority, and what stands in the way of its next phase. */
export interface RotationStatus {
  readonly set: KeySet;
  readonly next: KeySet['phase'] | undefined;
  readonly blockers: readonly RotationBlocker[];
}

export interface StepRequest {
  readonly kind: AuthorityKind;
  readonly step: RotationStep;
  /** For `start`: how long each phase lasts, where the rotation shall go on by itself. */
  readonly graceMs?: number | undefined;
  /** Goes on in spite of what stands in the way. */
  readonly force?: boolean | undefined;
}

/** How often rotations that go on by themselves are looked at. */
const tickMs = 30_000;

/** How long a step may take to come back by the change feed. */
const feedMs = 10_000;

/** Takes the authorities from one key to the next, without anybody noticing. */
export class RotationService implements AsyncDisposable {
  readonly #timer: NodeJS.Timeout;
  #ticking: Promise<void> = Promise.resolve();

  constructor(private readonly options: RotationServiceOptions) {
    this.#timer = setInterval(() => {
      this.#ticking = this.#ticking.then(() => this.tick());
    }, tickMs).unref();
  }

  list(): readonly RotationStatus[] {
    return authorityKinds.map((kind) => this.#status(kind));
  }

  /**
   * Takes a step. Rejects with `conflict` where the phase does not allow it, and
   * where something stands in the way of `advance` that is not forced: the
   * message says what.
   */
  async step({ kind, step, graceMs, force = false }: StepRequest, by: string): Promise<RotationStatus> {
    const { set, blockers } = this.#status(kind);
    const against = step === 'advance' ? blockers : [];
    if (against.length > 0 && !force) throw blocked(kind, against);
    const confirm = (to: KeySet['phase']): Promise<void> =>
      this.options.report(
        'authority.rotated',
        { user: by },
        {
          authority: kind,
          from: set.phase,
          to,
          ...(against.length > 0 && { against: against.map(({ reason }) => reason) }),
        },
      );
    const after = await rotateAuthority({ kind, step, from: set.phase, graceMs, confirm }, this.options);
    await this.#followed(set);
    return { set: after, next: followingPhase[after.phase], blockers: this.#blockers(after) };
  }

  /** Goes on with the rotations whose phase has lasted long enough. Never rejects. */
  async tick(): Promise<void> {
    const { view, logger } = this.options;
    for (const kind of authorityKinds) {
      const set = view.keySet(kind);
      if (!set || !this.#isDue(set)) continue;
      await this.step({ kind, step: 'advance', force: true }, 'postern').catch((cause: unknown) =>
        logger.error('a rotation could not go on', { authority: kind, cause: PosternError.from(cause).message }),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
  }

  #isDue(set: KeySet): boolean {
    const { graceMs, since } = set;
    if (graceMs === undefined || since === undefined) return false;
    if (Date.parse(since) + graceMs > this.options.now().getTime()) return false;
    // What has to be done by hand has had the time that the operator gave it.
    return this.#blockers(set).every(({ byHand }) => byHand === true);
  }

  /** Resolves once this process signs by what has come after a state of an authority. */
  async #followed(before: KeySet): Promise<void> {
    const { view, authorities } = this.options;
    await seen(view, () => view.keySet(before.kind) !== before);
    await authorities.apply(before.kind);
  }

  #status(kind: AuthorityKind): RotationStatus {
    const set = this.options.view.keySet(kind);
    if (!set) throw new PosternError('unavailable', `the ${kind} authority is not known here`);
    return { set, next: followingPhase[set.phase], blockers: this.#blockers(set) };
  }

  #blockers(set: KeySet): readonly RotationBlocker[] {
    const { now, authorities } = this.options;
    return rotationBlockers(set, now(), set.kind === 'host' ? authorities.lagging : []);
  }
}

/** Resolves when the view has come so far; rejects with `timeout` where the change feed does not bring it. */
function seen(view: ClusterView, holds: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new PosternError('timeout', 'the change feed has not brought the step yet'));
    const timer = setTimeout(late, feedMs);
    const check = (): void => {
      if (!holds()) return;
      clearTimeout(timer);
      stop();
      resolve();
    };
    const stop = view.onChange(check);
    check();
  });
}

function blocked(kind: AuthorityKind, blockers: readonly RotationBlocker[]): PosternError {
  const reasons = blockers.map(({ reason, until }) => (until ? `${reason} (until ${until.toISOString()})` : reason));
  return PosternError.public(
    'conflict',
    `the ${kind} authority is not ready for the next phase: ${reasons.join('; ')}. Once that is so, or to go on all the same: --force`,
  );
}
