import { randomBytes } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { lockDocument, type LockTarget } from '../rbac/index.js';
import { Collection, type Store } from '../storage/index.js';
import { prefixes } from './documents.js';
import type { Report } from './report.js';

export type LockDocument = z.output<typeof lockDocument>;

export interface NewLock {
  readonly target: LockTarget;
  readonly message: string;
  readonly ttlMs?: number | undefined;
}

/** Locks: what they name loses its sessions and gets no new ones, on every agent, until they end. */
export class LockService {
  readonly #locks: Collection<LockDocument>;

  constructor(
    store: Store,
    private readonly report: Report,
    private readonly now: () => Date,
  ) {
    this.#locks = new Collection(store, prefixes.locks, lockDocument);
  }

  async list(): Promise<readonly LockDocument[]> {
    return (await this.#locks.list()).map(({ value }) => value);
  }

  async create({ target, message, ttlMs }: NewLock, by: string): Promise<LockDocument> {
    const name = `lock-${randomBytes(6).toString('hex')}`;
    const expires = ttlMs === undefined ? undefined : new Date(this.now().getTime() + ttlMs);
    const lock: LockDocument = {
      kind: 'lock',
      name,
      target,
      message,
      created: this.now().toISOString(),
      created_by: by,
      ...(expires && { expires: expires.toISOString() }),
    };
    await this.report('lock.created', { user: by }, { name, target, message, expires: lock.expires });
    await this.#locks.create(name, lock, expires ? { expires } : {});
    return lock;
  }

  /** Rejects with `not_found`. */
  async delete(name: string, by: string): Promise<void> {
    if (!(await this.#locks.get(name))) throw PosternError.public('not_found', `there is no lock ${name}`);
    await this.report('lock.removed', { user: by }, { name });
    await this.#locks.delete(name);
  }
}
