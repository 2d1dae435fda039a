import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLines } from '../cluster/line-world.js';
import { hello } from '../cluster/line-client.js';
import { backup, migrate, restore } from '../../src/cli/postern/storage.js';
import { writeBackup } from '../../src/storage/backup-file.js';
import { fill, refuseUnfinished } from '../../src/storage/fill.js';
import { SqliteStore, type Entry } from '../../src/storage/index.js';
import type { PostgresServer } from './postgres-server.js';
import { remoteBackends, type RemoteServer } from './remote-backends.js';

/** What a command prints. */
async function printed(command: () => Promise<void>): Promise<string> {
  const write = process.stdout.write.bind(process.stdout);
  let text = '';
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  try {
    await command();
  } finally {
    process.stdout.write = write;
  }
  return text;
}

describe('the state of a cluster', function () {
  this.timeout(90_000);
  let directory: string;
  let file: string;
  const at = (...parts: readonly string[]): string => join(directory, ...parts);

  /** A configuration file for a data directory, with the key of the cluster in it. */
  async function configured(name: string, more: object = {}, key = true): Promise<string> {
    await mkdir(at(name, 'data', 'keys'), { recursive: true, mode: 0o700 });
    if (key && name !== 'original')
      await cp(at('original', 'data', 'keys', 'wrapping.key'), at(name, 'data', 'keys', 'wrapping.key'));
    const path = at(`${name}.yaml`);
    await writeFile(path, JSON.stringify({ cluster: 'cluster.test', data: at(name, 'data'), ...more }));
    return path;
  }

  /** That everything is there: users and what they prove themselves with, roles, resources, authorities. */
  async function works(name: string, storage?: Readonly<Record<string, unknown>>): Promise<void> {
    const more = storage ? { configuration: { storage } } : {};
    await using cluster = await startLines({ data: at(name), roles: [], resources: [], users: {}, ...more });
    const [client, answer] = await hello(cluster, await cluster.login('ann'));
    client[Symbol.dispose]();
    assert.equal(answer, 'ok hello');
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-transfer-'));
    file = at('monday.backup');
    await using cluster = await startLines({ data: at('original') });
    const config = await configured('original');
    const told = await printed(() => backup(file, { config }));
    assert.match(told, /monday\.backup: \d+ entries of cluster\.test as of revision \d+/);
    await cluster.addUser('ben', { roles: ['reader'] });
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('is backed up while the cluster runs, into a private file in which no secret can be read', async () => {
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const text = await readFile(file, 'utf8');
    assert.match(text, /^\{"postern":"backup","version":1,"cluster":"cluster\.test"/);
    assert.ok(text.includes('postern-sealed-v1'));
    assert.ok(!text.includes('PRIVATE KEY') && !text.includes('"users/ben"') && text.includes('"users/ann"'));
    await assert.rejects(backup(file, { config: at('original.yaml') }), { code: 'already_exists' });
  });

  it('is restored into an empty data directory, where people log in as before', async () => {
    const config = await configured('restored');
    assert.match(await printed(() => restore(file, { config })), /\d+ entries \(SHA-256 [0-9a-f]{64}\)/);
    await works('restored');
    await assert.rejects(restore(file, { config }), { code: 'already_exists' });
  });

  it('is not restored where the wrapping key is missing or another, or the cluster is; nothing is written', async () => {
    const missing = await configured('missing', {}, false);
    await assert.rejects(restore(file, { config: missing }), { code: 'invalid_config', message: /no wrapping key/ });
    await using _ = await startLines({ data: at('stranger'), users: {} });
    await _[Symbol.asyncDispose]();
    const wrong = await configured('wrong', {}, false);
    await cp(at('stranger', 'data', 'keys', 'wrapping.key'), at('wrong', 'data', 'keys', 'wrapping.key'));
    await assert.rejects(restore(file, { config: wrong }), { code: 'invalid_config', message: /cannot be opened/ });
    const other = await configured('other', { cluster: 'other.test' });
    await assert.rejects(restore(file, { config: other }), { code: 'invalid_config', message: /cluster\.test/ });
    for (const name of ['missing', 'wrong', 'other'])
      await assert.rejects(stat(at(name, 'data', 'store', 'cluster.db')), { code: 'ENOENT' });
  });

  it('is not restored from a file that was cut off or changed anywhere', async () => {
    const whole = await readFile(file);
    const config = await configured('tampered');
    const lines = whole.toString().split('\n');
    const texts = [
      whole.subarray(0, whole.length - 1),
      whole.subarray(0, whole.length / 2),
      Buffer.alloc(0),
      Buffer.from([...lines.slice(0, 3), ...lines.slice(4)].join('\n')),
      Buffer.from([lines[0], lines[2], lines[1], ...lines.slice(3)].join('\n')),
      Buffer.from(`${whole.toString()}{}\n`),
      ...[0.1, 0.3, 0.5, 0.7, 0.9].map((part) => {
        const copy = Buffer.from(whole);
        const position = Math.floor(copy.length * part);
        copy[position] = (copy[position] ?? 0) ^ 1;
        return copy;
      }),
    ];
    for (const [index, text] of texts.entries()) {
      await writeFile(at('tampered.backup'), text);
      const refused = restore(at('tampered.backup'), { config });
      await assert.rejects(refused, { code: 'invalid_argument' }, `text ${index}`);
    }
    await assert.rejects(stat(at('tampered', 'data', 'store', 'cluster.db')), { code: 'ENOENT' });
  });

  it('is not filled by half: interrupted, it is empty again; killed, no cluster starts from it until it is whole', async () => {
    const entries: Entry[] = Array.from({ length: 300 }, (_, index) => ({
      key: `k/${index}`,
      value: 'v',
      revision: 1,
    }));
    const abort = new AbortController();
    async function* interrupted(then: () => void): AsyncGenerator<readonly Entry[]> {
      yield entries.slice(0, 150);
      then();
      yield entries.slice(150);
    }
    await mkdir(at('half', 'data', 'store'), { recursive: true, mode: 0o700 });
    const path = at('half', 'data', 'store', 'cluster.db');
    {
      await using store = await SqliteStore.open({ path });
      const filling = fill(
        store,
        interrupted(() => abort.abort()),
        { signal: abort.signal },
      );
      await assert.rejects(filling, { code: 'aborted' });
      assert.deepEqual(await store.range(''), []);
      // As a process leaves it that was killed.
      await store.commit({ put: [{ key: 'storage/unfinished', value: '{}' }, ...entries.slice(0, 9)] });
    }
    await assert.rejects(startLines({ data: at('half') }), (error: Error) => /by half/.test(String(error.cause)));
    const config = await configured('half');
    await printed(() => restore(file, { config }));
    await works('half');
  });

  it('is not looked for where no cluster is: a source that was mistyped is refused, and nothing is made there', async () => {
    const to = await configured('nowhere');
    const nothing = await configured('mistyped');
    const empty = await configured('empty');
    await mkdir(at('empty', 'data', 'store'), { recursive: true, mode: 0o700 });
    {
      await using store = await SqliteStore.open({ path: at('empty', 'data', 'store', 'cluster.db') });
      await store.commit({ put: [{ key: 'roles/reader', value: '{}' }] });
    }
    for (const from of [nothing, empty]) {
      await assert.rejects(backup(at('none.backup'), { config: from }), { code: 'not_found' });
      await assert.rejects(migrate({ from, to }), { code: 'not_found' });
    }
    for (const path of [at('none.backup'), at('mistyped', 'data', 'store'), at('nowhere', 'data', 'store')])
      await assert.rejects(stat(path), { code: 'ENOENT' });
  });

  it('is not backed up when that is interrupted, which is said, and no part of a file is left', async () => {
    const abort = new AbortController();
    async function* pages(): AsyncGenerator<readonly Entry[]> {
      yield [{ key: 'a', value: '', revision: 1 }];
      abort.abort();
      yield [{ key: 'b', value: '', revision: 1 }];
    }
    await mkdir(at('interrupted'));
    const about = { cluster: 'cluster.test', now: new Date(), signal: abort.signal };
    await assert.rejects(writeBackup(at('interrupted', 'a.backup'), { revision: 1, pages }, about), {
      code: 'aborted',
      message: /no backup was written/,
    });
    assert.deepEqual(await readdir(at('interrupted')), []);
  });

  it('is said to be gone from a target only where it is', async () => {
    await using store = await SqliteStore.open({ path: ':memory:' });
    const abort = new AbortController();
    async function* pages(): AsyncGenerator<readonly Entry[]> {
      yield [{ key: 'a', value: '', revision: 1 }];
      abort.abort();
      yield [{ key: 'b', value: '', revision: 1 }];
    }
    const target = new Proxy(store, {
      get(of, name) {
        if (name === 'commit' && abort.signal.aborted) return () => Promise.reject(new Error('away'));
        const found: unknown = Reflect.get(of, name, of);
        return typeof found === 'function' ? (found.bind(of) as unknown) : found;
      },
    });
    await assert.rejects(fill(target, pages(), { signal: abort.signal }), {
      code: 'aborted',
      message: /could not be taken away/,
    });
    await assert.rejects(refuseUnfinished(store), { code: 'invalid_config' });
  });

  describe('goes from one storage to another', () => {
    const servers: RemoteServer[] = [];
    before(async function () {
      for (const backend of remoteBackends) servers.push(await backend.start(this, 'quick'));
    });
    after(async () => {
      for (const server of servers) await server[Symbol.asyncDispose]();
    });

    it('and to the next, whole each time, and people log in as before', async () => {
      let from = at('original.yaml');
      for (const [index, backend] of remoteBackends.entries()) {
        const server = servers[index] as RemoteServer;
        const storage = backend.configuration(server, 'moved');
        const to = await configured(`moved${index}`, { storage });
        assert.match(await printed(() => migrate({ from, to })), /copied and compared/);
        await assert.rejects(migrate({ from, to }), { code: 'already_exists' });
        const copy = at(`of-${index}.backup`);
        assert.match(await printed(() => backup(copy, { config: to })), /entries of cluster\.test/);
        await works(`moved${index}`, storage);
        from = to;
      }
      const back = await configured('back');
      await printed(() => migrate({ from, to: back }));
      await works('back');
    });

    it('but not from another schema or prefix than that of the cluster, which is not made', async () => {
      const to = await configured('unfilled');
      for (const [index, backend] of remoteBackends.entries()) {
        const storage = backend.configuration(servers[index] as RemoteServer, 'mistyped');
        const from = await configured(`mistyped${index}`, { storage });
        await assert.rejects(backup(at('none.backup'), { config: from }), { code: 'not_found' });
        await assert.rejects(migrate({ from, to }), { code: 'not_found' });
      }
      const [postgres] = servers as [PostgresServer];
      assert.deepEqual(await postgres.sql(`SELECT FROM pg_namespace WHERE nspname = 'mistyped'`), []);
      for (const path of [at('none.backup'), at('unfilled', 'data', 'store')])
        await assert.rejects(stat(path), { code: 'ENOENT' });
    });

    it('but not while a process uses it', async () => {
      await using _ = await startLines({ data: at('busy'), users: {} });
      const from = await configured('busy', {}, false);
      const to = await configured('elsewhere');
      await assert.rejects(migrate({ from, to }), { code: 'unavailable', message: /already in use/ });
    });
  });
});
