import { z } from 'zod';
import { Collection, type Store } from '../storage/index.js';

const attempts = z.strictObject({ failures: z.int().nonnegative(), lockedUntil: z.iso.datetime().optional() });

export const maxFailures = 5;
const lockoutMs = 30 * 60_000;

/**
 * Counts failed logins of a user. After five in a row, none of them older than
 * half an hour, the user is locked out for half an hour, whatever is tried. Kept
 * in the store, so that every Auth Service counts alike and a restart forgets
 * nothing.
 */
export class Lockout {
  readonly #attempts: Collection<z.output<typeof attempts>>;

  constructor(
    store: Store,
    private readonly now: () => Date,
  ) {
    this.#attempts = new Collection(store, 'login-attempts', attempts);
  }

  /** Until when the user is locked out, if so. */
  async lockedUntil(user: string): Promise<Date | undefined> {
    const until = (await this.#attempts.get(user))?.value.lockedUntil;
    return until !== undefined && new Date(until) > this.now() ? new Date(until) : undefined;
  }

  /** Counts a failure before the answer goes out. Returns the end of the lockout where this one began it. */
  async fail(user: string): Promise<Date | undefined> {
    const expires = new Date(this.now().getTime() + lockoutMs);
    const before = (await this.#attempts.get(user))?.value;
    if (before) {
      const { value } = await this.#attempts.update(user, (now) => this.#count(now.failures, expires), { expires });
      return value.lockedUntil === undefined ? undefined : new Date(value.lockedUntil);
    }
    // Two first failures at once may count as one; the next one counts for sure.
    await this.#attempts.put(user, this.#count(0, expires), { expires });
    return undefined;
  }

  async clear(user: string): Promise<void> {
    await this.#attempts.delete(user);
  }

  #count(failures: number, until: Date): z.output<typeof attempts> {
    const count = failures + 1;
    return { failures: count, ...(count >= maxFailures && { lockedUntil: until.toISOString() }) };
  }
}
