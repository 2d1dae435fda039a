import { PosternError } from '@postern/plugin-sdk';
import { loadConfiguration, type Configuration } from '../../configuration/index.js';
import { EntryDigest, matches, type Digest } from '../../storage/entry-digest.js';
import { fill } from '../../storage/fill.js';
import { connectStorage, storeFile, type ClusterStore } from '../../storage/open-storage.js';
import { readBackup, writeBackup, type BackupHeader } from '../../storage/backup-file.js';
import type { Snapshot } from '../../storage/snapshot.js';
import { sqliteSnapshot } from '../../storage/sqlite-snapshot.js';
import type { Entry } from '../../storage/store.js';
import { exitCodes } from '../exit-codes.js';
import { AuthorityCheck } from './authority-check.js';
import { findConfiguration } from './find-configuration.js';

interface ConfigOptions {
  readonly config?: string;
}

/** `postern storage backup`. */
export async function backup(file: string, { config }: ConfigOptions): Promise<void> {
  const { configuration } = await findConfiguration(config);
  const { cluster } = configuration;
  using interrupt = new Interrupt();
  await using reading = await openSnapshot(configuration);
  const { signal } = interrupt;
  const { revision } = reading.snapshot;
  const source = {
    revision,
    pages: () => ofCluster(reading.snapshot, `the storage of ${config ?? configuration.data}`),
  };
  const entries = await writeBackup(file, source, { cluster, now: new Date(), signal });
  process.stdout.write(`${file}: ${entries} entries of ${cluster} as of revision ${revision}\n`);
}

/** `postern storage restore`. Reads the file twice: nothing is written before all of it was found good. */
export async function restore(file: string, { config }: ConfigOptions): Promise<void> {
  const { configuration } = await findConfiguration(config);
  using interrupt = new Interrupt();
  const wanted = await checkBackup(file, configuration);
  await using target = await connect(configuration);
  const digest = await fill(target, backupPages(file), {
    signal: interrupt.signal,
    confirm: async (written) => {
      if (!matches(wanted, written))
        throw PosternError.public('conflict', `${file} was changed while it was read: nothing was restored`);
    },
  });
  process.stdout.write(`${describe(digest)} of ${configuration.cluster} restored from ${file}\n`);
}

export interface MigrateOptions {
  readonly from: string;
  readonly to: string;
}

/** `postern storage migrate`. */
export async function migrate({ from, to }: MigrateOptions): Promise<void> {
  const { configuration: old } = await loadConfiguration(from);
  const { configuration: next } = await loadConfiguration(to);
  if (old.cluster !== next.cluster)
    throw PosternError.public(
      'invalid_config',
      `${from} is of cluster ${old.cluster}, ${to} of ${next.cluster}: the name of a cluster cannot be changed`,
    );
  using interrupt = new Interrupt();
  // The embedded store is locked by that, so that no process can write to it meanwhile.
  await using source = await connect(old, true);
  await checkKeys(source, next, `the storage of ${from}`);
  await using target = await connect(next);
  await using snapshot = await source.snapshot();
  const digest = await fill(target, snapshot.pages(), {
    signal: interrupt.signal,
    confirm: async (copied) => {
      if (!matches(copied, await digestOf(source)))
        throw PosternError.public('conflict', 'something wrote to the old storage: stop every process and try again');
    },
  });
  process.stdout.write(`${describe(digest)} of ${next.cluster} copied and compared; start with ${to} from now on\n`);
}

/** The first SIGINT or SIGTERM interrupts; a second one ends the process at once. */
class Interrupt implements Disposable {
  readonly #abort = new AbortController();
  readonly #told = (): void => {
    if (this.#abort.signal.aborted) process.exit(exitCodes.interrupted);
    this.#abort.abort();
  };

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#told);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#told);
  }
}

const connect = ({ storage, data }: Configuration, existing = false): Promise<ClusterStore> =>
  connectStorage({ configuration: storage, data, existing });

/** A snapshot, also of an embedded store that a process has open. */
async function openSnapshot({ storage, data }: Configuration): Promise<AsyncDisposable & { snapshot: Snapshot }> {
  if (storage.kind === 'sqlite') {
    const snapshot = await sqliteSnapshot(storeFile(data), () => new Date());
    return { snapshot, [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose]() };
  }
  const store = await connectStorage({ configuration: storage, data, existing: true });
  const snapshot = await store.snapshot().catch(async (cause: unknown) => {
    await store[Symbol.asyncDispose]();
    throw cause;
  });
  return {
    snapshot,
    async [Symbol.asyncDispose]() {
      await snapshot[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Reads a backup to its end, and refuses one that this configuration could not use. */
async function checkBackup(file: string, configuration: Configuration): Promise<Digest> {
  const digest = new EntryDigest();
  const check = new AuthorityCheck();
  for await (const read of readBackup(file)) {
    if (isEntry(read)) {
      digest.add(read);
      check.add(read);
    } else if (read.cluster !== configuration.cluster)
      throw PosternError.public(
        'invalid_config',
        `${file} is of cluster ${read.cluster}, and the configuration names ${configuration.cluster}`,
      );
  }
  check.assertFound(file);
  await check.opensWith(configuration);
  return digest.result;
}

async function checkKeys(source: ClusterStore, configuration: Configuration, where: string): Promise<void> {
  const check = new AuthorityCheck();
  await using snapshot = await source.snapshot();
  for await (const page of snapshot.pages()) for (const entry of page) check.add(entry);
  check.assertFound(where);
  await check.opensWith(configuration);
}

/** The same pages; rejects with `not_found` at their end where they are of no cluster. */
async function* ofCluster(snapshot: Snapshot, where: string): AsyncGenerator<readonly Entry[], void, undefined> {
  const check = new AuthorityCheck();
  for await (const page of snapshot.pages()) {
    for (const entry of page) check.add(entry);
    yield page;
  }
  check.assertFound(where);
}

async function digestOf(source: ClusterStore): Promise<Digest> {
  const digest = new EntryDigest();
  await using snapshot = await source.snapshot();
  for await (const page of snapshot.pages()) for (const entry of page) digest.add(entry);
  return digest.result;
}

/** Entries of a backup that have not expired, a few at a time. */
async function* backupPages(file: string): AsyncGenerator<readonly Entry[], void, undefined> {
  let page: Entry[] = [];
  for await (const read of readBackup(file)) {
    if (isEntry(read)) page.push(read);
    if (page.length < 64) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

const isEntry = (read: BackupHeader | Entry): read is Entry => 'key' in read;

const describe = ({ entries, expiring, sha256 }: Digest): string =>
  `${entries} entries (SHA-256 ${sha256}) and ${expiring.size} that expire`;
