import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { decodePath, encodePath, type DocumentPath } from './document-path.js';
import type { Change, Entry, Put, RangeOptions, Store } from './store.js';

/** A typed value as the store has it. */
export interface Document<T> {
  readonly path: readonly string[];
  /** The last segment of the path: the whole name, where paths have one segment. */
  readonly name: string;
  readonly value: T;
  readonly revision: number;
  readonly expires?: Date;
}

export type DocumentChange<T> =
  | { readonly kind: 'put'; readonly document: Document<T>; readonly revision: number }
  | { readonly kind: 'delete'; readonly path: readonly string[]; readonly revision: number };

export interface ListOptions {
  /** Only documents whose paths begin with these segments and go on. */
  readonly under?: DocumentPath;
  /** The path of the last document of the page before. */
  readonly after?: DocumentPath;
  readonly limit?: number;
}

export interface WriteOptions {
  readonly expires?: Date;
}

const prefixText = /^[a-z][a-z0-9_-]*(\/[a-z0-9_-]+)*$/;

/** How often {@link Collection.update} starts again when others write the same document. */
const updateAttempts = 16;

/** What is wrong with a document, without what is in it. */
const complaints = (error: z.core.$ZodError): string =>
  error.issues.map(({ path, code }) => `${path.map(String).join('.') || 'the document'}: ${code}`).join(', ');

/**
 * JSON documents of one shape under one prefix of a store. A document is
 * validated when it is written (`invalid_argument`) and when it is read
 * (`internal`: the store holds what no version of this program wrote). A schema
 * with codecs stores what they encode; one with one-way transforms cannot be
 * written.
 */
export class Collection<T> {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #schema: z.ZodType<T>;

  /** `prefix` is lower case, without a slash at its ends; a collection owns everything below it. */
  constructor(store: Store, prefix: string, schema: z.ZodType<T>) {
    if (!prefixText.test(prefix))
      throw new PosternError('invalid_argument', `${prefix} cannot begin a collection's keys`);
    this.#store = store;
    this.#prefix = `${prefix}/`;
    this.#schema = schema;
  }

  /** The store's key for a document, for checks and deletions in a commit across collections. */
  key(path: DocumentPath): string {
    const encoded = encodePath(path);
    if (encoded === '') throw new PosternError('invalid_argument', 'a document has no name');
    return this.#prefix + encoded;
  }

  /** A validated write for a commit across collections. */
  write(path: DocumentPath, value: T, { expires }: WriteOptions = {}): Put {
    const key = this.key(path);
    const encoded = z.safeEncode(this.#schema, value);
    if (!encoded.success)
      throw new PosternError('invalid_argument', `cannot write ${JSON.stringify(key)}: ${complaints(encoded.error)}`);
    return { key, value: JSON.stringify(encoded.data), ...(expires && { expires }) };
  }

  async get(path: DocumentPath): Promise<Document<T> | undefined> {
    const entry = await this.#store.get(this.key(path));
    return entry && this.#decode(entry);
  }

  /** In key order: see {@link Store}. */
  async list({ under, after, limit }: ListOptions = {}): Promise<readonly Document<T>[]> {
    const options: RangeOptions = {
      ...(after !== undefined && { after: this.key(after) }),
      ...(limit !== undefined && { limit }),
    };
    const entries = await this.#store.range(this.#under(under), options);
    return entries.map((entry) => this.#decode(entry));
  }

  /** Rejects with `already_exists`. Resolves with the revision. */
  async create(path: DocumentPath, value: T, options?: WriteOptions): Promise<number> {
    const write = this.write(path, value, options);
    try {
      return await this.#store.commit({ check: [{ key: write.key, revision: 0 }], put: [write] });
    } catch (cause) {
      if (!isConflict(cause)) throw cause;
      throw new PosternError('already_exists', `${JSON.stringify(write.key)} exists already`, { cause });
    }
  }

  /** Writes whatever was there before. Resolves with the revision. */
  async put(path: DocumentPath, value: T, options?: WriteOptions): Promise<number> {
    return this.#store.commit({ put: [this.write(path, value, options)] });
  }

  /**
   * Replaces a document by what `change` makes of it, as one step: when others
   * write it meanwhile, `change` is asked again with their value. Keeps the
   * expiry unless another is given. Rejects with `not_found`, with what `change`
   * throws, and with `conflict` when others are faster again and again.
   */
  async update(
    path: DocumentPath,
    change: (value: T, document: Document<T>) => T | Promise<T>,
    options: WriteOptions = {},
  ): Promise<Document<T>> {
    const key = this.key(path);
    for (let attempt = 1; ; attempt++) {
      const before = await this.get(path);
      if (!before) throw new PosternError('not_found', `${JSON.stringify(key)} does not exist`);
      const write = this.write(path, await change(before.value, before), { ...expiryOf(before), ...options });
      try {
        const revision = await this.#store.commit({ check: [{ key, revision: before.revision }], put: [write] });
        return this.#decode({ ...write, revision });
      } catch (cause) {
        if (!isConflict(cause) || attempt === updateAttempts) throw cause;
        await sleep(Math.random() * attempt * 2);
      }
    }
  }

  /** Deletes whatever is there, or only what is at `revision`: else rejects with `conflict`. */
  async delete(path: DocumentPath, options: { readonly revision?: number } = {}): Promise<number> {
    const key = this.key(path);
    const { revision } = options;
    return this.#store.commit({ ...(revision !== undefined && { check: [{ key, revision }] }), delete: [key] });
  }

  /** The store's change feed for this collection: see {@link Store.watch}. */
  async *watch(
    since: number,
    signal: AbortSignal,
    under?: DocumentPath,
  ): AsyncGenerator<readonly DocumentChange<T>[], void, undefined> {
    for await (const changes of this.#store.watch(this.#under(under), since, signal))
      yield changes.map((change) => this.#decodeChange(change));
  }

  #under(path: DocumentPath | undefined): string {
    return path === undefined ? this.#prefix : `${this.key(path)}/`;
  }

  #path(key: string): readonly string[] {
    return decodePath(key.slice(this.#prefix.length));
  }

  #decodeChange(change: Change): DocumentChange<T> {
    const { kind, revision } = change;
    return kind === 'put'
      ? { kind, document: this.#decode(change.entry), revision }
      : { kind, path: this.#path(change.key), revision };
  }

  #decode(entry: Entry): Document<T> {
    const path = this.#path(entry.key);
    const parsed = this.#schema.safeParse(parseJson(entry));
    if (!parsed.success)
      throw new PosternError('internal', `cannot read ${JSON.stringify(entry.key)}: ${complaints(parsed.error)}`);
    return { path, name: path.at(-1) ?? '', value: parsed.data, revision: entry.revision, ...expiryOf(entry) };
  }
}

const isConflict = (cause: unknown): boolean => PosternError.is(cause) && cause.code === 'conflict';

const expiryOf = ({ expires }: WriteOptions): WriteOptions => (expires ? { expires } : {});

function parseJson({ key, value }: Entry): unknown {
  try {
    return JSON.parse(value);
  } catch {
    // The parser's own message quotes the text.
    throw new PosternError('internal', `cannot read ${JSON.stringify(key)}: it is not JSON`);
  }
}
