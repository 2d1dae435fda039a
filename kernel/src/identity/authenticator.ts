import { PosternError } from '@postern/plugin-sdk';
import { RateLimit } from '../tunnels/rate-limit.js';
import { limitKey } from '../tunnels/source-address.js';
import { maxFailures, type Attempt, type Lockout } from './lockout.js';
import { checkNewPassword, hashPassword, verifyPassword } from './password.js';
import type { Report } from './report.js';
import { verifyTotp } from './totp.js';
import { deviceId, type Device, type User, type UserSecrets } from './user.js';
import type { Changed, Changing, UserStore } from './user-store.js';

export interface Proof {
  readonly user: string;
  readonly password: string;
  readonly code?: string | undefined;
  readonly newPassword?: string | undefined;
}

export interface AuthenticatorOptions {
  readonly store: UserStore;
  readonly lockout: Lockout;
  readonly report: Report;
  readonly now: () => Date;
}

/** A user who has just proved who he is. */
export interface Authenticated {
  readonly user: User;
  /** The second factor that was used, if any: see {@link deviceId}. */
  readonly mfa?: { readonly device: string; readonly at: Date };
}

/** A proof, where it came from, and how it is counted. */
interface Trial extends Proof {
  readonly source: string;
  readonly attempt: Attempt;
}

/** What was proved so far was right, and more is needed: no failure. */
const incomplete: readonly string[] = ['mfa_required', 'password_change_required', 'invalid_argument'];

const perAddress = 30;
const perUser = 10;
const minuteMs = 60_000;

/**
 * Checks passwords and codes. An outsider cannot tell an unknown user from a
 * wrong password, neither by the words nor by the time. Every failure is
 * counted and recorded before it is answered.
 */
export class Authenticator {
  readonly #addresses: RateLimit;
  readonly #users: RateLimit;
  /** Verified where there is no user, so that it takes as long as with one. */
  readonly #decoy = hashPassword('a password that nobody has');

  constructor(private readonly options: AuthenticatorOptions) {
    this.#addresses = new RateLimit(perAddress, minuteMs, options.now);
    this.#users = new RateLimit(perUser, minuteMs, options.now);
  }

  /** Rejects with `unauthenticated`, `mfa_required`, `password_change_required`, `locked` or `rate_limited`. */
  async authenticate(proof: Proof, source: string): Promise<Authenticated> {
    if (!this.#addresses.take(limitKey(source)) || !this.#users.take(proof.user.toLowerCase()))
      throw PosternError.public('rate_limited', 'too many logins: wait a minute and try again');
    const attempt = await this.#begin(proof.user, source);
    const trial = { ...proof, source, attempt };
    try {
      const { user, secrets } = await this.#checkPassword(trial);
      const authenticated = secrets.oneTime
        ? await this.#replacePassword(user, trial)
        : await this.#checkCode(user, secrets, trial);
      await this.options.lockout.clear(user.name);
      return authenticated;
    } catch (cause) {
      if (PosternError.is(cause) && incomplete.includes(cause.code))
        await this.options.lockout.withdraw(proof.user, attempt);
      throw cause;
    }
  }

  async #begin(user: string, source: string): Promise<Attempt> {
    try {
      return await this.options.lockout.begin(user);
    } catch (cause) {
      if (PosternError.is(cause) && cause.code === 'locked')
        throw await this.#refuse(user, source, 'locked out', cause);
      throw cause;
    }
  }

  async #checkPassword(trial: Trial): Promise<{ readonly user: User; readonly secrets: UserSecrets }> {
    const user = await this.options.store.get(trial.user);
    const secrets = user && (await this.options.store.secrets(trial.user));
    const matches = await verifyPassword(secrets?.passwordHash ?? (await this.#decoy), trial.password);
    if (!user || !secrets || !matches || user.disabled || !user.activated)
      throw await this.#fail(trial, reasonOf(user, matches));
    return { user, secrets };
  }

  async #checkCode(user: User, secrets: UserSecrets, trial: Trial): Promise<Authenticated> {
    const { code } = trial;
    if (secrets.devices.length === 0) return { user };
    if (code === undefined)
      throw PosternError.public('mfa_required', 'enter the code of your authenticator application');
    const found = secrets.devices
      .map((device) => ({ device, step: verifyTotp(device.secret, code, this.options.now(), device.lastStep) }))
      .find(({ step }) => step !== undefined);
    if (found?.step === undefined) throw await this.#fail(trial, 'wrong code');
    const { device, step: lastStep } = found;
    // Stored before the answer: the same code, sent twice at once, succeeds once.
    const after = await this.#change(trial, 'code used before', ({ user, secrets }) => {
      const isUsed = (one: Device): boolean => one.secret === device.secret && one.lastStep < lastStep;
      if (!secrets?.devices.some(isUsed)) return undefined;
      const devices = secrets.devices.map((one) => (isUsed(one) ? { ...one, lastStep } : one));
      return { user, secrets: { ...secrets, devices } };
    });
    return { user: after, mfa: { device: deviceId(user.name, device.name), at: this.options.now() } };
  }

  async #replacePassword(user: User, trial: Trial): Promise<Authenticated> {
    const { newPassword, password, source } = trial;
    if (newPassword === undefined)
      throw PosternError.public('password_change_required', 'this password worked once: choose a new one');
    checkNewPassword(newPassword, user.name);
    if (newPassword === password) throw PosternError.public('invalid_argument', 'the new password must be another one');
    const passwordHash = await hashPassword(newPassword);
    const fields = { name: user.name, changes: ['password'] };
    await this.options.report('user.changed', { user: user.name, source, fields });
    const after = await this.#change(trial, 'one-time password used before', ({ user, secrets }) =>
      secrets?.oneTime ? { user, secrets: { ...secrets, passwordHash, oneTime: false } } : undefined,
    );
    return { user: after };
  }

  /** Changes the user's secrets, unless `change` finds that another login was faster: that is a failure. */
  async #change(trial: Trial, tooLate: string, change: (before: Changing) => Changed | undefined): Promise<User> {
    const late = wrong();
    try {
      return await this.options.store.change(trial.user, (before) => {
        const changed = change(before);
        if (!changed) throw late;
        return changed;
      });
    } catch (cause) {
      throw cause === late ? await this.#fail(trial, tooLate) : cause;
    }
  }

  async #fail({ user, source, attempt: { lastUntil } }: Trial, reason: string): Promise<PosternError> {
    // Unknown names are counted too: a lockout must not show who exists.
    if (lastUntil)
      await this.options.report('user.locked_out', {
        source,
        fields: { name: user, failures: maxFailures, until: lastUntil.toISOString() },
      });
    return this.#refuse(user, source, reason, wrong());
  }

  async #refuse(user: string, source: string, reason: string, error: PosternError): Promise<PosternError> {
    await this.options.report('user.login_failed', { source, fields: { method: 'password', reason, name: user } });
    return error;
  }
}

const wrong = (): PosternError => PosternError.public('unauthenticated', 'the user name or the password is wrong');

function reasonOf(user: User | undefined, matches: boolean): string {
  if (!user) return 'unknown user';
  if (user.disabled) return 'disabled user';
  if (!user.activated) return 'invitation not accepted';
  return matches ? 'no password' : 'wrong password';
}
