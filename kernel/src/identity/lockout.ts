import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { Collection, type Store } from '../storage/index.js';

const attempts = z.strictObject({ failures: z.int().nonnegative(), lockedUntil: z.iso.datetime().optional() });
type Attempts = z.output<typeof attempts>;

export const maxFailures = 5;
const lockoutMs = 30 * 60_000;

/** One attempt to log in. */
export interface Attempt {
  /** Set where this is the last one: until when the user is locked out if it fails. */
  readonly lastUntil: Date | undefined;
}

/**
 * Counts failed logins of a user. After five in a row, each within half an hour
 * of the one before, the user is locked out for half an hour, whatever is tried.
 * An attempt counts as failed from its beginning until it has succeeded, so that
 * attempts at the same time are not more than five either. Kept in the store, so
 * that every Auth Service counts alike and a restart forgets nothing.
 */
export class Lockout {
  readonly #attempts: Collection<Attempts>;

  constructor(
    store: Store,
    private readonly now: () => Date,
  ) {
    this.#attempts = new Collection(store, 'login-attempts', attempts);
  }

  /** Until when the user is locked out, if so. */
  async lockedUntil(user: string): Promise<Date | undefined> {
    return this.#endOf((await this.#attempts.get(user))?.value);
  }

  /** Counts an attempt as failed before it is made. Rejects with `locked` while the user is locked out. */
  async begin(user: string): Promise<Attempt> {
    const expires = new Date(this.now().getTime() + lockoutMs);
    try {
      await this.#attempts.create(user, count(undefined, expires), { expires });
      return { lastUntil: undefined };
    } catch (cause) {
      if (!isOf(cause, 'already_exists')) throw cause;
    }
    try {
      return await this.#countAgain(user, expires);
    } catch (cause) {
      // It succeeded meanwhile, and the count was forgotten.
      if (isOf(cause, 'not_found')) return this.begin(user);
      throw cause;
    }
  }

  /** The attempt was none: nothing that it brought was wrong, but something was missing. */
  async withdraw(user: string, attempt: Attempt): Promise<void> {
    const isLast = attempt.lastUntil !== undefined;
    await this.#attempts
      .update(user, (now) => {
        // The lockout that another attempt began is not ours to end.
        if (now.lockedUntil !== undefined && !isLast) return now;
        return { failures: Math.max(0, now.failures - 1) };
      })
      .catch((cause: unknown) => {
        if (!isOf(cause, 'not_found')) throw cause;
      });
  }

  async clear(user: string): Promise<void> {
    await this.#attempts.delete(user);
  }

  async #countAgain(user: string, expires: Date): Promise<Attempt> {
    const { value } = await this.#attempts.update(
      user,
      (now) => {
        const until = this.#endOf(now);
        if (until) throw lockedOut(until);
        return count(now.lockedUntil === undefined ? now : undefined, expires);
      },
      { expires },
    );
    return { lastUntil: this.#endOf(value) };
  }

  #endOf(value: Attempts | undefined): Date | undefined {
    const until = value?.lockedUntil;
    return until !== undefined && new Date(until) > this.now() ? new Date(until) : undefined;
  }
}

function count(before: Attempts | undefined, until: Date): Attempts {
  const failures = (before?.failures ?? 0) + 1;
  return { failures, ...(failures >= maxFailures && { lockedUntil: until.toISOString() }) };
}

const lockedOut = (until: Date): PosternError =>
  PosternError.public('locked', `too many failed logins: locked until ${until.toISOString()}`);

const isOf = (cause: unknown, code: PosternError['code']): boolean => PosternError.is(cause) && cause.code === code;
