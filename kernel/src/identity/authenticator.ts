import { PosternError } from '@postern/plugin-sdk';
import { RateLimit } from '../tunnels/rate-limit.js';
import { maxFailures, type Lockout } from './lockout.js';
import { checkNewPassword, hashPassword, verifyPassword } from './password.js';
import type { Report } from './report.js';
import { verifyTotp } from './totp.js';
import type { User, UserSecrets } from './user.js';
import type { UserStore } from './user-store.js';

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
  /** The second factor that was used, if any. */
  readonly mfa?: { readonly device: string; readonly at: Date };
}

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
    if (!this.#addresses.take(source) || !this.#users.take(proof.user.toLowerCase()))
      throw PosternError.public('rate_limited', 'too many logins: wait a minute and try again');
    const until = await this.options.lockout.lockedUntil(proof.user);
    if (until) throw await this.#refuse(proof.user, source, 'locked out', lockedOut(until));
    const { user, secrets } = await this.#checkPassword(proof, source);
    return secrets.oneTime ? this.#replacePassword(user, proof, source) : this.#checkCode(user, secrets, proof, source);
  }

  async #checkPassword(proof: Proof, source: string): Promise<{ readonly user: User; readonly secrets: UserSecrets }> {
    const user = await this.options.store.get(proof.user);
    const secrets = user && (await this.options.store.secrets(proof.user));
    const matches = await verifyPassword(secrets?.passwordHash ?? (await this.#decoy), proof.password);
    if (!user || !secrets || !matches || user.disabled || !user.activated)
      throw await this.#fail(proof.user, source, reasonOf(user, matches));
    return { user, secrets };
  }

  async #checkCode(user: User, secrets: UserSecrets, proof: Proof, source: string): Promise<Authenticated> {
    const { totp } = secrets;
    if (!totp) return this.#succeed(user);
    if (proof.code === undefined)
      throw PosternError.public('mfa_required', 'enter the code of your authenticator application');
    const step = verifyTotp(totp.secret, proof.code, this.options.now(), totp.lastStep);
    if (step === undefined) throw await this.#fail(user.name, source, 'wrong code');
    // Stored before the answer: the same code, sent twice at once, succeeds once.
    const after = await this.options.store.change(user.name, ({ user, secrets }) => {
      if (!secrets?.totp || secrets.totp.lastStep >= step) throw wrong();
      return { user, secrets: { ...secrets, totp: { ...secrets.totp, lastStep: step } } };
    });
    return this.#succeed(after, { device: 'totp', at: this.options.now() });
  }

  async #replacePassword(user: User, proof: Proof, source: string): Promise<Authenticated> {
    if (proof.newPassword === undefined)
      throw PosternError.public('password_change_required', 'this password worked once: choose a new one');
    checkNewPassword(proof.newPassword, user.name);
    if (proof.newPassword === proof.password)
      throw PosternError.public('invalid_argument', 'the new password must be another one');
    const passwordHash = await hashPassword(proof.newPassword);
    await this.options.report('user.changed', {
      user: user.name,
      source,
      fields: { name: user.name, changes: ['password'] },
    });
    const after = await this.options.store.change(user.name, ({ user, secrets }) => {
      if (!secrets?.oneTime) throw wrong();
      return { user, secrets: { ...secrets, passwordHash, oneTime: false } };
    });
    return this.#succeed(after);
  }

  async #succeed(user: User, mfa?: Authenticated['mfa']): Promise<Authenticated> {
    await this.options.lockout.clear(user.name);
    return { user, ...(mfa && { mfa }) };
  }

  async #fail(user: string, source: string, reason: string): Promise<PosternError> {
    // Unknown names are counted too: a lockout must not show who exists.
    const until = await this.options.lockout.fail(user);
    if (until)
      await this.options.report('user.locked_out', {
        source,
        fields: { name: user, failures: maxFailures, until: until.toISOString() },
      });
    return this.#refuse(user, source, reason, wrong());
  }

  async #refuse(user: string, source: string, reason: string, error: PosternError): Promise<PosternError> {
    await this.options.report('user.login_failed', { source, fields: { method: 'password', reason, name: user } });
    return error;
  }
}

const wrong = (): PosternError => PosternError.public('unauthenticated', 'the user name or the password is wrong');

const lockedOut = (until: Date): PosternError =>
  PosternError.public('locked', `too many failed logins: locked until ${until.toISOString()}`);

function reasonOf(user: User | undefined, matches: boolean): string {
  if (!user) return 'unknown user';
  if (user.disabled) return 'disabled user';
  if (!user.activated) return 'invitation not accepted';
  return matches ? 'no password' : 'wrong password';
}
