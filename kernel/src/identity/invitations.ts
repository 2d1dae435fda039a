import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import type { Sealer } from '../certificates/sealing.js';
import { Collection, type Commit, type Document, type Store } from '../storage/index.js';
import { newTotpSecret } from './totp.js';

const purposes = ['invite', 'reset'] as const;
const stored = z.strictObject({
  user: z.string(),
  purpose: z.enum(purposes),
  expires: z.iso.datetime(),
  /** A seed to enrol, sealed. */
  totp: z.string(),
});

/** How long links work: invitations a day, resets an hour. */
export const invitationMs: Record<(typeof purposes)[number], number> = { invite: 24 * 3_600_000, reset: 3_600_000 };

export interface Invitation {
  readonly user: string;
  readonly purpose: (typeof purposes)[number];
  readonly expires: Date;
  readonly totpSecret: string;
}

/**
 * Links that work once and let whoever has one choose a user's password. The
 * store knows only the SHA-256 of the token: reading it gives nobody a link.
 */
export class Invitations {
  readonly #links: Collection<z.output<typeof stored>>;

  constructor(
    store: Store,
    private readonly sealer: Sealer,
    private readonly now: () => Date,
  ) {
    this.#links = new Collection(store, 'invitations', stored);
  }

  /** Makes a link's token; earlier ones of the user stop working. */
  async create(user: string, purpose: Invitation['purpose'], expires: Date): Promise<string> {
    await this.revoke(user);
    const token = randomBytes(24).toString('base64url');
    const name = nameOf(token);
    const totp = await this.sealer.seal(this.#links.key(name), Buffer.from(newTotpSecret()));
    await this.#links.create(name, { user, purpose, expires: expires.toISOString(), totp }, { expires });
    return token;
  }

  /** Rejects with `not_found` for a token that never was, was used, was replaced, or is too old. */
  async get(token: string): Promise<Invitation> {
    const link = await this.#find(token);
    const totp = await this.sealer.open(this.#links.key(link.name), link.value.totp);
    const { user, purpose, expires } = link.value;
    return { user, purpose, expires: new Date(expires), totpSecret: totp.toString('utf8') };
  }

  /** What uses a token up, as part of the commit that does what it is for. Of two such commits exactly one succeeds. */
  async use(token: string): Promise<Commit> {
    const { name, revision } = await this.#find(token);
    const key = this.#links.key(name);
    return { check: [{ key, revision }], delete: [key] };
  }

  /** Ends every link of a user. */
  async revoke(user: string): Promise<void> {
    const links = await this.#links.list();
    for (const { name, value } of links) if (value.user === user) await this.#links.delete(name);
  }

  async #find(token: string): Promise<Document<z.output<typeof stored>>> {
    const link = await this.#links.get(nameOf(token));
    if (!link || new Date(link.value.expires) <= this.now()) throw gone();
    return link;
  }
}

const nameOf = (token: string): string => createHash('sha256').update(token).digest('hex');

const gone = (): PosternError =>
  PosternError.public('not_found', 'this link was used before or is too old: ask an administrator for a new one');
