import assert from 'node:assert/strict';
import { Long, serialize, type Document } from 'bson';
import { flag } from '../src/wire.js';
import { Site } from './support/site.js';
import { cursorOf, hello, message, type MessageOptions } from './support/talk.js';

describe('attacks on MongoDB sessions', function () {
  this.timeout(30_000);
  let site: Site;

  beforeEach(async () => {
    site = await Site.start();
  });
  afterEach(() => site[Symbol.asyncDispose]());

  /** Nothing of what an attack says reaches the server. */
  const refused: readonly (readonly [string, Document, MessageOptions?])[] = [
    ['reads another database', { find: 'a', $db: 'payroll' }],
    ['reads another database through $lookup', {
      aggregate: 'a', cursor: {}, $db: 'shop',
      pipeline: [{ $lookup: { from: { db: 'payroll', coll: 'salaries' }, as: 'x' } }],
    }],
    ['reads another database through $lookup within $facet', {
      aggregate: 'a', cursor: {}, $db: 'shop',
      pipeline: [{ $facet: { f: [{ $lookup: { from: { db: 'payroll', coll: 'salaries' }, as: 'x' } }] } }],
    }],
    ['reads another database through $unionWith', {
      aggregate: 'a', cursor: {}, $db: 'shop', pipeline: [{ $unionWith: { db: 'payroll', coll: 'salaries' } }],
    }],
    ['writes to another database through $out', {
      aggregate: 'a', cursor: {}, $db: 'shop', pipeline: [{ $out: { db: 'payroll', coll: 'salaries' } }],
    }],
    ['writes to another database through $merge', {
      aggregate: 'a', cursor: {}, $db: 'shop', pipeline: [{ $merge: { into: { db: 'payroll', coll: 'salaries' } } }],
    }],
    ['writes to another database through mapReduce', {
      mapReduce: 'a', map: 'm', reduce: 'r', out: { replace: 'salaries', db: 'payroll' }, $db: 'shop',
    }],
    ['writes to another database through bulkWrite', {
      bulkWrite: 1, ops: [{ insert: 0, document: {} }], nsInfo: [{ ns: 'payroll.salaries' }], $db: 'admin',
    }],
    ['writes to another database through the namespaces of a sequence', { bulkWrite: 1, $db: 'admin' }, {
      sequences: { ops: [{ insert: 1, document: {} }], nsInfo: [{ ns: 'shop.a' }, { ns: 'payroll.salaries' }] },
    }],
    ['moves a collection of another database', { renameCollection: 'payroll.a', to: 'shop.a', $db: 'admin' }],
    ['explains a command on another class', { explain: { drop: 'a' }, $db: 'shop' }],
    ['explains a command on another database', { explain: { find: 'a', $db: 'payroll' }, $db: 'shop' }],
    ['looks at what everybody does through $currentOp', {
      aggregate: 1, cursor: {}, $db: 'shop', pipeline: [{ $currentOp: { allUsers: true } }],
    }],
    ['creates a user', { createUser: 'eve', pwd: 'sesame', roles: ['root'], $db: 'shop' }],
    ['runs a command that nobody knows', { doAnything: 1, $db: 'shop' }],
    ['runs a known command in another spelling', { FIND: 'a', $db: 'shop' }],
    ['names a collection by a UUID, so that no role can tell which', { find: new Uint8Array(16), $db: 'shop' }],
    ['hides the end of a database behind a NUL', { find: 'a', $db: 'shop\0payroll' }],
    ['speaks for somebody else as a server does', { find: 'a', $audit: { $impersonatedUser: 'root' }, $db: 'shop' }],
    ['takes over a cursor that it has guessed', { getMore: Long.fromNumber(4711), collection: 'a', $db: 'shop' }],
    ['kills a cursor of somebody else', { killCursors: 'a', cursors: [Long.fromNumber(4711)], $db: 'shop' }],
  ]; // prettier-ignore
  for (const [name, body, options] of refused)
    it(`refuses what ${name}`, async () => {
      const talk = await site.as();
      const answer = await talk.ask(message(body, options));
      assert.equal(answer['ok'], 0, JSON.stringify(answer));
      assert.ok(String(answer['errmsg']).length > 0);
      assert.deepEqual(site.server.commands, []);
    });

  it('takes over another user’s cursor on a connection of the same session', async () => {
    const allow = { users: ['*'], databases: ['shop'], commands: ['@read', '@write'] };
    const [alice, mallory] = [await site.as('app', { allow }), await site.as('other', { allow })];
    await alice.ask(message({ insert: 'a', documents: [{ x: 1 }, { x: 2 }, { x: 3 }], $db: 'shop' }));
    const { id } = cursorOf(await alice.ask(message({ find: 'a', batchSize: 1, $db: 'shop' })));
    const more = message({ getMore: id, collection: 'a', batchSize: 1, $db: 'shop' });
    assert.match(String((await mallory.ask(more))['errmsg']), /has not opened it/);
    assert.equal((await alice.ask(more))['ok'], 1);
  });

  it('continues a cursor in the name of another collection', async () => {
    const talk = await site.as();
    await talk.ask(message({ insert: 'a', documents: [{ x: 1 }, { x: 2 }], $db: 'shop' }));
    const { id } = cursorOf(await talk.ask(message({ find: 'a', batchSize: 1, $db: 'shop' })));
    const more = message({ getMore: id, collection: 'b', $db: 'shop' });
    assert.match(String((await talk.ask(more))['errmsg']), /is not one of shop\.b/);
  });

  it('gets no further with a password, and is told why', async () => {
    const talk = await site.as();
    for (const body of [
      { saslStart: 1, mechanism: 'SCRAM-SHA-256', payload: 'n,,n=root,r=x', $db: 'admin' },
      { SASLStart: 1, mechanism: 'PLAIN', payload: 'x', $db: 'admin' },
      { logout: 1, $db: 'shop' },
      { authenticate: 1, mechanism: 'MONGODB-X509', user: 'root', $db: '$external' },
    ])
      assert.equal((await talk.ask(message(body)))['code'], 18);
    assert.deepEqual(site.server.commands, []);
    assert.deepEqual(site.server.logins, ['app']);
  });

  it('claims another user in its greeting', async () => {
    const answer = await site.connect().ask(hello('root'));
    assert.equal(answer['ok'], 0);
    assert.match(String(answer['errmsg']), /access denied/);
    assert.deepEqual(site.server.logins, []);
  });

  /** After these nothing of the stream can be believed, so that the session ends. */
  const twofold: readonly (readonly [string, () => Buffer])[] = [
    ['a second command in a sequence that is named as a field', () =>
      message({ insert: 'a', documents: [], $db: 'shop' }, { sequences: { documents: [{ x: 1 }] } })],
    ['a database in a sequence', () => message({ find: 'a', $db: 'shop' }, { sequences: { $db: [{ x: 1 }] } })],
    ['a second body', () => {
      const one = message({ find: 'a', $db: 'shop' });
      const two = Buffer.concat([one, Buffer.from([0]), serialize({ drop: 'a', $db: 'shop' })]);
      two.writeInt32LE(two.length, 0);
      return two;
    }],
    ['two databases', () => {
      const twice = message({ find: 'a', $db: 'shop', $dc: 'payroll' });
      twice.write('$db', twice.indexOf('$dc'));
      return twice;
    }],
    ['no database', () => message({ find: 'a' })],
    ['a section that nobody knows', () => {
      const one = Buffer.concat([message({ find: 'a', $db: 'shop' }), Buffer.from([9, 0, 0, 0, 0])]);
      one.writeInt32LE(one.length, 0);
      return one;
    }],
    ['a flag that nobody knows', () => message({ find: 'a', $db: 'shop' }, { flags: 4 })],
    ['a compressed message', () => {
      const one = message({ find: 'a', $db: 'shop' });
      one.writeInt32LE(2012, 12);
      return one;
    }],
    ['a nesting bomb of a pipeline', () => {
      let stage: Document = { $match: {} };
      for (let depth = 0; depth < 400; depth += 1) stage = { a: stage };
      return message({ aggregate: 'a', pipeline: [stage], cursor: {}, $db: 'shop' });
    }],
  ]; // prettier-ignore
  for (const [name, attack] of twofold)
    it(`ends a session that sends ${name}, and says why`, async () => {
      const talk = await site.as();
      const answer = await talk.ask(attack());
      assert.equal(answer['ok'], 0);
      assert.equal(await talk.message(), undefined);
      assert.deepEqual(site.server.commands, []);
    });

  it('drops a denied command that wants no answer', async () => {
    const talk = await site.as();
    talk.send(message({ insert: 'a', documents: [{}], $db: 'payroll' }, { flags: flag.moreToCome }));
    assert.equal((await talk.ask(message({ find: 'a', $db: 'shop' })))['ok'], 1);
    assert.deepEqual(
      site.server.commands.map(({ find }) => find as unknown),
      ['a'],
    );
  });

  it('answers denied and allowed commands of one breath in their order', async () => {
    const talk = await site.as();
    const bodies = [{ find: 'a', $db: 'shop' }, { find: 'a', $db: 'payroll' }, { drop: 'a', $db: 'shop' }, { find: 'b', $db: 'shop' }]; // prettier-ignore
    talk.send(Buffer.concat(bodies.map((body, index) => message(body, { requestId: index + 1 }))));
    const seen: [number, unknown][] = [];
    for (const [] of bodies.entries()) {
      const answer = await talk.message();
      assert.ok(answer);
      seen.push([answer.header.responseTo, answer.data.includes('errmsg')]);
    }
    assert.deepEqual(seen, [[1, false], [2, true], [3, true], [4, false]]); // prettier-ignore
  });

  it('leaves no secret in any event or recording', async () => {
    const allow = { users: ['app'], databases: ['*'], commands: ['*'] };
    const talk = await site.as('app', { allow });
    await talk.ask(message({ createUser: 'eve', pwd: 'sesame', roles: [], $db: 'shop' }));
    await talk.ask(message({ find: 'a', filter: { deep: { password: 'sesame' } }, $db: 'shop' }));
    const all = JSON.stringify(site.hosts.map(({ events, logs, recordings }) => [events, logs, recordings]));
    for (const secret of ['sesame', 'pencil']) assert.ok(!all.includes(secret), secret);
    assert.equal(site.events('mongodb.command').length, 2);
  });
});
