import { randomBytes } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { ReplicaTable } from '../../cluster/replica-table.js';
import { Collection, type Store } from '../../storage/index.js';
import { nameOfSecret, newSecret } from './secret.js';
import { endOf, sessionRecord, sessionsPrefix, type SessionRecord } from './session-record.js';

/** How often a use is written down. */
const touchMs = 60_000;

/** A session, and the name that its cookie is kept under. */
export interface KeptSession {
  readonly key: string;
  readonly record: SessionRecord;
}

/** The sessions of browsers in the store. It knows when they end by themselves, and nothing of what else ends them. */
export class SessionTable {
  readonly #records: Collection<SessionRecord>;
  readonly #replica = new ReplicaTable<SessionRecord | undefined>({
    prefix: `${sessionsPrefix}/`,
    decode: (_, value) => sessionRecord.safeParse(value).data,
  });

  constructor(
    private readonly store: Store,
    private readonly now: () => Date,
  ) {
    this.#records = new Collection(store, sessionsPrefix, sessionRecord);
  }

  /** All sessions, as the change feed has told of them. */
  get all(): readonly KeptSession[] {
    return [...this.#replica.rows].flatMap(([key, record]) => (record ? [{ key, record }] : []));
  }

  /** Resolves with the value of the cookie. */
  async create(begun: Omit<SessionRecord, 'id' | 'created' | 'lastUsed'>): Promise<{ cookie: string } & KeptSession> {
    const cookie = newSecret('session');
    const key = nameOfSecret('session', cookie) ?? '';
    const now = this.now().toISOString();
    const record = { ...begun, id: randomBytes(12).toString('base64url'), created: now, lastUsed: now };
    await this.#records.create(key, record, { expires: endOf(record) });
    return { cookie, key, record };
  }

  /** The session that a cookie belongs to, if any. */
  async find(cookie: string): Promise<KeptSession | undefined> {
    const key = nameOfSecret('session', cookie);
    return key === undefined ? undefined : this.get(key);
  }

  async get(key: string): Promise<KeptSession | undefined> {
    const record = (await this.#records.get(key))?.value;
    return record && endOf(record) > this.now() ? { key, record } : undefined;
  }

  /** Writes down that it is in use. False where it has ended meanwhile. */
  async touch({ key, record }: KeptSession): Promise<boolean> {
    const now = this.now();
    if (now.getTime() - Date.parse(record.lastUsed) < touchMs) return true;
    const used = { ...record, lastUsed: now.toISOString() };
    try {
      await this.#records.update(key, (before) => ({ ...before, lastUsed: used.lastUsed }), { expires: endOf(used) });
      return true;
    } catch (cause) {
      if (PosternError.is(cause) && cause.code === 'not_found') return false;
      throw cause;
    }
  }

  /** Ends it. True for the one call that did. */
  async delete(key: string): Promise<boolean> {
    for (;;) {
      const found = await this.#records.get(key);
      if (!found) return false;
      try {
        await this.#records.delete(key, { revision: found.revision });
        return true;
      } catch (cause) {
        // Somebody used it at the same moment.
        if (!PosternError.is(cause) || cause.code !== 'conflict') throw cause;
      }
    }
  }

  /** Tells of each session that has ended, until the signal aborts. */
  async follow(signal: AbortSignal, ended: (record: SessionRecord) => void): Promise<void> {
    let known = this.#replica.rows;
    await this.#replica.follow(this.store, signal, () => {
      const before = known;
      known = this.#replica.rows;
      for (const [key, record] of before) if (record && !known.has(key)) ended(record);
    });
  }
}
