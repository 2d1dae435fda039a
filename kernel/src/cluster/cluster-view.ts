import { PosternError } from '@postern/plugin-sdk';
import {
  authorityPrefix,
  bundleOf,
  decodeKeySet,
  trustAuthority,
  type AuthorityBundle,
  type AuthorityKind,
  type KeySet,
  type TrustedAuthority,
} from '../certificates/index.js';
import { usersPrefix } from '../identity/index.js';
import { user as userDocument } from '../identity/user.js';
import { compileRole, type Lock, type Protocols, type Roles, type UserState } from '../rbac/index.js';
import { encodePath, type Store } from '../storage/index.js';
import { prefixes, resourceDocument, type ResourceDocument } from './documents.js';
import { ReplicaTable } from './replica-table.js';

export interface ClusterViewOptions {
  readonly cluster: string;
  readonly store: Store;
  readonly protocols: Protocols;
  /** Called once when a change feed fails: from then on nothing may be decided here. */
  failed(cause: PosternError): void;
}

/**
 * What decisions need to know of the cluster, in memory: roles, locks, users,
 * resources and the public halves of the authorities. Kept up by the change
 * feed; a change that was committed is seen here within milliseconds.
 */
export class ClusterView implements AsyncDisposable {
  readonly #roles;
  readonly #locks = new ReplicaTable<Lock>({
    prefix: `${prefixes.locks}/`,
    // Whatever cannot be read stays a lock; one without a readable target is about everybody.
    decode: (_, value) => ({ ...(value as Lock | undefined), target: (value as Lock | undefined)?.target ?? {} }),
  });
  readonly #users = new ReplicaTable<UserState>({
    prefix: `${usersPrefix}/`,
    decode: (_, value) => {
      const { data } = userDocument.safeParse(value);
      return data ?? { generation: Number.MAX_SAFE_INTEGER, disabled: true };
    },
  });
  readonly #resources = new ReplicaTable<ResourceDocument | undefined>({
    prefix: `${prefixes.resources}/`,
    decode: (_, value) => resourceDocument.safeParse(value).data,
  });
  readonly #authorities = new ReplicaTable<KnownAuthority | undefined>({
    prefix: authorityPrefix,
    decode: (_, value) => authorityFrom(value),
  });
  readonly #trusted = new WeakMap<AuthorityBundle, TrustedAuthority>();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #following: Promise<unknown> = Promise.resolve();
  #revision = 0;

  private constructor(private readonly options: ClusterViewOptions) {
    this.#roles = new ReplicaTable({
      prefix: `${prefixes.roles}/`,
      decode: (name, value) => compileRole(name, value, options.protocols),
    });
  }

  /** Resolves once everything has been read. */
  static async start(options: ClusterViewOptions): Promise<ClusterView> {
    const view = new ClusterView(options);
    const tables = [view.#roles, view.#locks, view.#users, view.#resources, view.#authorities];
    const followed = tables.map((table) => view.#follow(table));
    view.#following = Promise.all(followed.map(({ done }) => done));
    await Promise.all(followed.map(({ ready }) => ready));
    return view;
  }

  get cluster(): string {
    return this.options.cluster;
  }

  /** Another number after every change. */
  get revision(): number {
    return this.#revision;
  }

  get roles(): Roles {
    return this.#roles.rows;
  }

  get locks(): readonly Lock[] {
    return [...this.#locks.rows.values()];
  }

  user(name: string): UserState | 'absent' {
    return this.#users.rows.get(name) ?? 'absent';
  }

  get resources(): readonly ResourceDocument[] {
    return [...this.#resources.rows.values()].filter((resource) => resource !== undefined);
  }

  resource({ kind, name }: { readonly kind: string; readonly name: string }): ResourceDocument | undefined {
    return this.#resources.rows.get(encodePath([kind, name]));
  }

  /** The public halves of one authority; rejects with `unavailable` where the cluster has none that can be read. */
  bundle<K extends AuthorityKind>(kind: K): AuthorityBundle<K> {
    const bundle = this.#authorities.rows.get(kind)?.bundle;
    if (bundle?.kind !== kind) throw new PosternError('unavailable', `the ${kind} authority is not known here`);
    return bundle as AuthorityBundle<K>;
  }

  /** Which of an authority's keys sign and which are trusted; the same object until something about it changes. */
  keySet(kind: AuthorityKind): KeySet | undefined {
    return this.#authorities.rows.get(kind)?.set;
  }

  /** An authority's bundle, parsed and ready to verify with. */
  trust<K extends AuthorityKind>(kind: K): TrustedAuthority<K> {
    const bundle = this.bundle(kind);
    const trusted = (this.#trusted.get(bundle) as TrustedAuthority<K> | undefined) ?? trustAuthority(bundle);
    this.#trusted.set(bundle, trusted);
    return trusted;
  }

  /** Calls the listener after every change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  #follow(table: ReplicaTable<unknown>): { readonly ready: Promise<void>; readonly done: Promise<void> } {
    const { promise: ready, resolve, reject } = withResolvers();
    const done = table
      .follow(this.options.store, this.#stop.signal, () => {
        resolve();
        this.#revision++;
        for (const listener of this.#listeners) listener();
      })
      .catch((cause: unknown) => {
        if (this.#stop.signal.aborted) return;
        reject(cause);
        this.options.failed(PosternError.from(cause));
      });
    return { ready, done };
  }
}

interface KnownAuthority {
  readonly set: KeySet;
  readonly bundle: AuthorityBundle;
}

function authorityFrom(value: unknown): KnownAuthority | undefined {
  try {
    const set = decodeKeySet(JSON.stringify(value));
    return { set, bundle: bundleOf(set) };
  } catch {
    return undefined;
  }
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (cause: unknown) => void } {
  let resolve = (): void => {};
  let reject = (_: unknown): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
