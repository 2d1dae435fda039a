import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import type { Sealer } from '../certificates/sealing.js';
import { Collection, type Commit, type Document, type Store } from '../storage/index.js';
import { newTotpSecret } from './totp.js';
import type { User } from './user.js';

const stored = z.strictObject({
  device: z.string(),
  /** Of the user who began: a reset, a new password or another role makes him another one. */
  generation: z.int(),
  /** SHA-256, hexadecimal. */
  token: z.string(),
  /** The seed, sealed. */
  secret: z.string(),
  wrong: z.int().nonnegative(),
  expires: z.iso.datetime(),
});
type Stored = z.output<typeof stored>;

const lifetimeMs = 10 * 60_000;
const maxWrong = 5;

/** A seed that was offered and of which no code has been seen yet. */
export interface Enrolment {
  readonly device: string;
  readonly generation: number;
  readonly token: string;
  readonly secret: string;
  readonly expires: Date;
}

/** Devices that are being added: one for each user, for ten minutes and five wrong codes. None of them counts. */
export class Enrolments {
  readonly #pending: Collection<Stored>;

  constructor(
    store: Store,
    private readonly sealer: Sealer,
    private readonly now: () => Date,
  ) {
    this.#pending = new Collection(store, 'enrolments', stored);
  }

  /** Offers a seed. What the user began before ends. */
  async begin({ name: user, generation }: Pick<User, 'name' | 'generation'>, device: string): Promise<Enrolment> {
    const [token, secret] = [randomBytes(24).toString('base64url'), newTotpSecret()];
    const expires = new Date(this.now().getTime() + lifetimeMs);
    const sealed = await this.sealer.seal(this.#pending.key(user), Buffer.from(secret));
    const offered = { device, generation, token: hashOf(token), secret: sealed };
    const value = { ...offered, wrong: 0, expires: expires.toISOString() };
    await this.#pending.put(user, value, { expires });
    return { device, generation, token, secret, expires };
  }

  /** Rejects with `not_found` for a token that never was, was used, was replaced, or is too old. */
  async get(user: string, token: string): Promise<Enrolment> {
    const { value } = await this.#find(user, token);
    const secret = (await this.sealer.open(this.#pending.key(user), value.secret)).toString('utf8');
    const { device, generation, expires } = value;
    return { device, generation, token, secret, expires: new Date(expires) };
  }

  /** Counts a wrong code; the last one ends the enrolment. Resolves with how many more may follow. */
  async countWrong(user: string, token: string): Promise<number> {
    const { value, revision } = await this.#find(user, token);
    if (value.wrong + 1 < maxWrong) {
      const after = await this.#pending.update(user, (now) => ({ ...now, wrong: now.wrong + 1 }));
      return Math.max(0, maxWrong - after.value.wrong);
    }
    await this.#pending.delete(user, { revision });
    return 0;
  }

  /** What uses an enrolment up, as part of the commit that adds the device. Of two such commits exactly one succeeds. */
  async use(user: string, token: string): Promise<Commit> {
    const { revision } = await this.#find(user, token);
    const key = this.#pending.key(user);
    return { check: [{ key, revision }], delete: [key] };
  }

  /** Ends what the user began. */
  async revoke(user: string): Promise<void> {
    await this.#pending.delete(user);
  }

  async #find(user: string, token: string): Promise<Document<Stored>> {
    const found = await this.#pending.get(user);
    const fits = timingSafeEqual(Buffer.from(hashOf(token)), Buffer.from(found?.value.token ?? hashOf('')));
    if (!found || !fits || new Date(found.value.expires) <= this.now())
      throw PosternError.public('not_found', 'this took too long or was begun again: start anew with psh mfa add');
    return found;
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
