import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import type { Sealer } from '../certificates/sealing.js';
import { Collection, type Commit, type Document, type Put, type Store } from '../storage/index.js';
import { user, userSecrets, type User, type UserSecrets } from './user.js';

const lastGeneration = z.strictObject({ generation: z.int().positive() });
const sealedText = z.strictObject({ sealed: z.string() });

/** How often a change starts again when others write the same user. */
const changeAttempts = 16;

/** The prefix of the documents that replicas follow. */
export const usersPrefix = 'users';

/** Users and, apart from them, what they prove themselves with. */
export class UserStore {
  readonly users: Collection<User>;
  readonly #secrets: Collection<z.output<typeof sealedText>>;
  /** Of users who were deleted: whoever comes under such a name later must not fit their certificates. */
  readonly #former: Collection<z.output<typeof lastGeneration>>;

  constructor(
    private readonly store: Store,
    private readonly sealer: Sealer,
  ) {
    this.users = new Collection(store, usersPrefix, user);
    this.#secrets = new Collection(store, 'sealed/users', sealedText);
    this.#former = new Collection(store, 'former-users', lastGeneration);
  }

  async get(name: string): Promise<User | undefined> {
    return (await this.users.get(name))?.value;
  }

  async secrets(name: string): Promise<UserSecrets | undefined> {
    return (await this.#openSecrets(name))?.value;
  }

  /** Both documents in one commit. The generation goes on from a former user of the name. Rejects with `already_exists`. */
  async create(wanted: User, secrets?: UserSecrets): Promise<void> {
    const former = (await this.#former.get(wanted.name))?.value.generation ?? 0;
    const value: User = { ...wanted, generation: Math.max(wanted.generation, former + 1) };
    const put = [this.users.write(value.name, value)];
    if (secrets) put.push(await this.#sealed(value.name, secrets));
    const check = put.map(({ key }) => ({ key, revision: 0 }));
    await this.store.commit({ check, put }).catch((cause: unknown) => {
      if (PosternError.is(cause) && cause.code === 'conflict')
        throw PosternError.public('already_exists', `there is a user ${value.name} already`, cause);
      throw cause;
    });
  }

  /**
   * Changes both documents in one commit: neither can be older than the other.
   * When others write them meanwhile, `change` is asked again with what they
   * wrote. What `along` resolves with is part of the same commit, and asked for
   * as often. Rejects with `not_found`, and with what the two throw.
   */
  async change(name: string, change: (before: Changing) => Changed, along?: () => Promise<Commit>): Promise<User> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#changeOnce(name, change, await along?.());
      } catch (cause) {
        if (!PosternError.is(cause) || cause.code !== 'conflict' || attempt === changeAttempts) throw cause;
      }
  }

  async #changeOnce(name: string, change: (before: Changing) => Changed, along: Commit = {}): Promise<User> {
    const [before, secrets] = [await this.users.get(name), await this.#openSecrets(name)];
    if (!before) throw PosternError.public('not_found', `there is no user ${name}`);
    const after = change({ user: before.value, secrets: secrets?.value });
    const check = [
      { key: this.users.key(name), revision: before.revision },
      { key: this.#secrets.key(name), revision: secrets?.revision ?? 0 },
      ...(along.check ?? []),
    ];
    const put = [this.users.write(name, after.user), ...(along.put ?? [])];
    if (after.secrets) put.push(await this.#sealed(name, after.secrets));
    const gone = [...(along.delete ?? []), ...(!after.secrets && secrets ? [this.#secrets.key(name)] : [])];
    await this.store.commit({ check, put, delete: gone });
    return after.user;
  }

  async delete(name: string): Promise<void> {
    const found = await this.users.get(name);
    if (!found) throw PosternError.public('not_found', `there is no user ${name}`);
    const { generation } = found.value;
    await this.store.commit({
      check: [{ key: this.users.key(name), revision: found.revision }],
      put: [this.#former.write(name, { generation })],
      delete: [this.users.key(name), this.#secrets.key(name)],
    });
  }

  async #openSecrets(name: string): Promise<Document<UserSecrets> | undefined> {
    const document = await this.#secrets.get(name);
    if (!document) return undefined;
    const opened = await this.sealer.open(this.#secrets.key(name), document.value.sealed);
    return { ...document, value: userSecrets.parse(JSON.parse(opened.toString('utf8'))) };
  }

  async #sealed(name: string, secrets: UserSecrets): Promise<Put> {
    const sealed = await this.sealer.seal(this.#secrets.key(name), Buffer.from(JSON.stringify(secrets)));
    return this.#secrets.write(name, { sealed });
  }
}

export interface Changing {
  readonly user: User;
  readonly secrets: UserSecrets | undefined;
}

export interface Changed {
  readonly user: User;
  /** Without them the stored ones are deleted. */
  readonly secrets: UserSecrets | undefined;
}
