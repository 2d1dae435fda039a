import assert from 'node:assert/strict';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { Collection, SqliteStore, type Store } from '../../src/storage/index.js';

const User = z.strictObject({ name: z.string().max(20), roles: z.array(z.string()), seen: z.string().optional() });
type User = z.output<typeof User>;

const alice: User = { name: 'Alice', roles: ['admin'] };

async function users(): Promise<{ store: SqliteStore; users: Collection<User> } & AsyncDisposable> {
  const store = await SqliteStore.open({ path: ':memory:' });
  return {
    store,
    users: new Collection(store, 'users', User),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** A store where somebody else writes `key` just before each commit, as often as told. */
function contended(store: Store, key: string, times: number): Store {
  let left = times;
  return {
    get: (name) => store.get(name),
    range: (prefix, options) => store.range(prefix, options),
    watch: (prefix, since, signal) => store.watch(prefix, since, signal),
    revision: () => store.revision(),
    commit: async (commit) => {
      const entry = left-- > 0 ? await store.get(key) : undefined;
      if (entry) await store.commit({ put: [{ key, value: entry.value.replace('"roles":[', '"roles":["x",') }] });
      return store.commit(commit);
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

describe('a collection', () => {
  it('keeps typed documents as JSON under its prefix', async () => {
    await using test = await users();
    const revision = await test.users.put('alice', alice);
    assert.deepEqual(await test.users.get('alice'), { path: ['alice'], name: 'alice', value: alice, revision });
    assert.equal((await test.store.get('users/alice'))?.value, '{"name":"Alice","roles":["admin"]}');
    assert.equal(await test.users.get('bob'), undefined);
  });

  it('creates what does not exist', async () => {
    await using test = await users();
    await test.users.create('alice', alice);
    await assert.rejects(test.users.create('alice', { ...alice, roles: [] }), {
      code: 'already_exists',
      message: '"users/alice" exists already',
    });
    assert.deepEqual((await test.users.get('alice'))?.value, alice);
  });

  it('deletes, and only what is at a given revision where one is given', async () => {
    await using test = await users();
    const first = await test.users.put('alice', alice);
    const second = await test.users.put('alice', alice);
    await assert.rejects(test.users.delete('alice', { revision: first }), { code: 'conflict' });
    await test.users.delete('alice', { revision: second });
    assert.equal(await test.users.get('alice'), undefined);
    await test.users.delete('alice');
  });

  it('lists in key order, in pages, and not what belongs to another collection', async () => {
    await using test = await users();
    await test.store.commit({ put: ['user', 'users', 'users-x/a'].map((key) => ({ key, value: '{}' })) });
    for (const name of ['c', 'a', 'd', 'b']) await test.users.put(name, { ...alice, name });
    const names = async (options: Parameters<Collection<User>['list']>[0]): Promise<string[]> =>
      (await test.users.list(options)).map(({ name }) => name);
    assert.deepEqual(await names({}), ['a', 'b', 'c', 'd']);
    assert.deepEqual(await names({ limit: 2 }), ['a', 'b']);
    assert.deepEqual(await names({ limit: 2, after: 'b' }), ['c', 'd']);
  });

  it('nests documents under names, whatever characters those have', async () => {
    await using test = await users();
    for (const path of [
      ['alice', 'one'],
      ['alice', 'a/b'],
      ['alice/one', 'x'],
      ['alicia', 'one'],
    ])
      await test.users.put(path, { ...alice, name: 'x' });
    const under = await test.users.list({ under: 'alice' });
    assert.deepEqual(
      under.map(({ path }) => path),
      [
        ['alice', 'a/b'],
        ['alice', 'one'],
      ],
    );
    assert.deepEqual((await test.users.list({ under: 'alice', after: ['alice', 'a/b'] }))[0]?.name, 'one');
    assert.equal((await test.users.list()).length, 4);
  });

  it('refuses names that are no part of a key, and prefixes that are none', async () => {
    await using test = await users();
    for (const path of ['', [], ['a', ''], 'a\nb', 'a\ud800'])
      await assert.rejects(test.users.put(path, alice), { code: 'invalid_argument' });
    await assert.rejects(test.users.get('x'.repeat(600)), { code: 'limit_exceeded' });
    for (const prefix of ['', '/', 'users/', '/users', 'Users', 'a//b', 'a b'])
      assert.throws(() => new Collection(test.store, prefix, User), { code: 'invalid_argument' });
  });

  it('carries an expiry, which an update keeps unless it sets another', async () => {
    await using test = await users();
    const expires = new Date(Date.now() + 3_600_000);
    const later = new Date(Date.now() + 7_200_000);
    await test.users.put('alice', alice, { expires });
    assert.deepEqual((await test.users.get('alice'))?.expires, expires);
    assert.deepEqual((await test.users.update('alice', (user) => user)).expires, expires);
    assert.deepEqual((await test.users.update('alice', (user) => user, { expires: later })).expires, later);
    assert.deepEqual((await test.users.get('alice'))?.expires, later);
  });

  it('takes part in a commit across collections', async () => {
    await using test = await users();
    const tokens = new Collection(test.store, 'tokens', z.strictObject({ uses: z.number() }));
    const revision = await tokens.put('t', { uses: 1 });
    const consume = {
      check: [{ key: tokens.key('t'), revision }],
      put: [test.users.write('alice', alice)],
      delete: [tokens.key('t')],
    };
    await test.store.commit(consume);
    await assert.rejects(test.store.commit(consume), { code: 'conflict' });
    assert.equal(await tokens.get('t'), undefined);
    assert.ok(await test.users.get('alice'));
  });

  it('stores what a codec encodes, and returns what it decodes', async () => {
    await using store = await SqliteStore.open({ path: ':memory:' });
    const Dated = z.codec(z.iso.datetime(), z.date(), {
      decode: (text) => new Date(text),
      encode: (date) => date.toISOString(),
    });
    const events = new Collection(store, 'events', z.strictObject({ at: Dated }));
    const at = new Date('2030-01-01T00:00:00Z');
    await events.put('a', { at });
    assert.equal((await store.get('events/a'))?.value, '{"at":"2030-01-01T00:00:00.000Z"}');
    assert.deepEqual((await events.get('a'))?.value, { at });
  });

  it('watches as documents', async () => {
    await using test = await users();
    const since = await test.store.revision();
    const revision = await test.users.put('alice', alice);
    await test.users.delete('alice');
    await test.users.put(['alice', 'x'], alice);
    const seen = [];
    for await (const changes of test.users.watch(since, new AbortController().signal))
      if (seen.push(...changes) === 3) break;
    assert.deepEqual(seen[0], {
      kind: 'put',
      document: { path: ['alice'], name: 'alice', value: alice, revision },
      revision,
    });
    assert.deepEqual(seen[1], { kind: 'delete', path: ['alice'], revision: revision + 1 });
    for await (const [only] of test.users.watch(since, new AbortController().signal, 'alice')) {
      assert.equal(only?.kind === 'put' && only.document.name, 'x');
      break;
    }
  });
});

describe('an update', () => {
  it('replaces a document by what the function makes of it', async () => {
    await using test = await users();
    await test.users.put('alice', alice);
    const after = await test.users.update('alice', (user) => ({ ...user, roles: [...user.roles, 'dev'] }));
    assert.deepEqual(after.value.roles, ['admin', 'dev']);
    assert.deepEqual(await test.users.get('alice'), after);
  });

  it('loses nothing of what others write meanwhile', async () => {
    await using test = await users();
    await test.users.put('alice', { ...alice, roles: [] });
    const add = (role: string): Promise<unknown> =>
      test.users.update('alice', async (user) => ({ ...user, roles: [...user.roles, role] }));
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map(add));
    assert.deepEqual((await test.users.get('alice'))?.value.roles.toSorted(), ['a', 'b', 'c', 'd', 'e']);
  });

  it('asks again with the newer value, and gives up when it never comes to its turn', async () => {
    await using test = await users();
    await test.users.put('alice', alice);
    const seen: number[] = [];
    const update = (times: number): Promise<unknown> =>
      new Collection(contended(test.store, 'users/alice', times), 'users', User).update('alice', (user) => {
        seen.push(user.roles.length);
        return user;
      });
    await update(3);
    assert.deepEqual(seen, [1, 2, 3, 4]);
    seen.length = 0;
    await assert.rejects(update(100), { code: 'conflict' });
    assert.equal(seen.length, 16);
  });

  it('of what does not exist is not_found, and creates nothing', async () => {
    await using test = await users();
    await assert.rejects(
      test.users.update('alice', () => alice),
      { code: 'not_found', message: '"users/alice" does not exist' },
    );
    assert.deepEqual(await test.users.list(), []);
  });

  it('whose function throws changes nothing and does not try again', async () => {
    await using test = await users();
    await test.users.put('alice', alice);
    let calls = 0;
    const refuse = (): never => {
      calls += 1;
      throw new PosternError('conflict', 'my own reason');
    };
    await assert.rejects(test.users.update('alice', refuse), { message: 'my own reason' });
    assert.equal(calls, 1);
    assert.deepEqual((await test.users.get('alice'))?.value, alice);
  });
});

describe('a document that does not fit its schema', () => {
  const secret = 'hunter2-hunter2-hunter2-hunter2';

  it('is not written, and the refusal names the field and not its content', async () => {
    await using test = await users();
    for (const bad of [
      { ...alice, name: secret },
      { ...alice, roles: secret as unknown as string[] },
    ])
      await assert.rejects(
        test.users.put('alice', bad),
        (error: PosternError) =>
          error.code === 'invalid_argument' && /name|roles/.test(error.message) && !error.message.includes('hunter2'),
      );
    assert.equal(await test.users.get('alice'), undefined);
  });

  it('is an internal error where it is read, which does not quote it', async () => {
    await using test = await users();
    for (const value of [`{"name":"${secret}","roles":[]}`, `{"${secret}`, 'null', '{"name":"x"}']) {
      await test.store.commit({ put: [{ key: 'users/alice', value }] });
      const quiet = (error: PosternError): boolean =>
        error.code === 'internal' &&
        error.message.includes('users/alice') &&
        !String(error.cause).includes('hunter2') &&
        !error.message.includes('hunter2');
      await assert.rejects(test.users.get('alice'), quiet);
      await assert.rejects(test.users.list(), quiet);
    }
  });
});
