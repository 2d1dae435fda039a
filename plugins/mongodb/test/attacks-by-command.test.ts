import assert from 'node:assert/strict';
import { Binary, Long, type Document } from 'bson';
import { flag } from '../src/wire.js';
import { Site } from './support/site.js';
import { cursorOf, message, type MessageOptions } from './support/talk.js';

const reader = { users: ['app'], databases: ['shop'], commands: ['@read'] };
const writer = { users: ['app'], databases: ['shop'], commands: ['@read', '@write'] };
const everything = { users: ['app'], databases: ['*'], commands: ['*'] };
const shop = (body: Document): Document => ({ ...body, $db: 'shop' });
const pipeline = (...stages: readonly Document[]): Document => shop({ aggregate: 'a', cursor: {}, pipeline: stages });

describe('attacks by what a MongoDB command means', function () {
  this.timeout(30_000);
  let site: Site;
  afterEach(() => site[Symbol.asyncDispose]());

  interface Attack {
    readonly allow: object;
    readonly deny?: object;
    readonly body: Document;
    readonly options?: MessageOptions;
  }

  /** What a role is worth if any of these gets through. */
  const attacks: Readonly<Record<string, Attack>> = {
    'writes by $out where the role names aggregate alone': {
      allow: { ...reader, commands: ['find', 'aggregate'] },
      body: pipeline({ $out: 'b' }),
    },
    'writes by $merge where the role names aggregate alone': {
      allow: { ...reader, commands: ['find', 'aggregate'] },
      body: pipeline({ $merge: { into: 'b' } }),
    },
    'creates a view where the role names create alone': {
      allow: { ...reader, commands: ['create'] },
      body: shop({ create: 'view', viewOn: 'a', pipeline: [] }),
    },
    'reads by findAndModify where the role may only write': {
      allow: { ...writer, commands: ['@write'] },
      body: shop({ findAndModify: 'a', query: {}, update: { $set: { x: 1 } } }),
    },
    'uses the old name of a denied command': {
      allow: writer,
      deny: { commands: ['findAndModify'] },
      body: shop({ findandmodify: 'a', query: {}, remove: true }),
    },
    'uses the new name of a denied command': {
      allow: everything,
      deny: { commands: ['deleteIndexes'] },
      body: shop({ dropIndexes: 'a', index: '*' }),
    },
    ...Object.fromEntries(
      ['insert', 'update', 'delete'].map((name): [string, Attack] => [
        `uses bulkWrite where ${name} is denied`,
        {
          allow: { ...writer, databases: ['*'] },
          deny: { commands: [name] },
          body: { bulkWrite: 1, $db: 'admin', ops: [{ [name]: 0 }], nsInfo: [{ ns: 'shop.a' }] },
        },
      ]),
    ),
    'reads a denied time series by the name of its buckets': {
      allow: everything,
      deny: { collections: ['shop.secret'] },
      body: shop({ find: 'system.buckets.secret' }),
    },
    'joins a denied time series by the name of its buckets': {
      allow: everything,
      deny: { collections: ['shop.secret'] },
      body: pipeline({ $lookup: { from: 'system.buckets.secret', as: 'x' } }),
    },
    'checks a denied collection by a command of administrators': {
      allow: everything,
      deny: { collections: ['shop.secret'] },
      body: shop({ validate: 'secret' }),
    },
    'copies a collection over one that is denied': {
      allow: everything,
      deny: { collections: ['shop.secret'] },
      body: shop({ cloneCollectionAsCapped: 'a', toCollection: 'secret', size: 1 }),
    },
    'reads the profile of what others do': { allow: writer, body: shop({ find: 'system.profile' }) },
    'writes the definition of a view as a document': {
      allow: writer,
      body: shop({ insert: 'system.views', documents: [{ _id: 'shop.v', viewOn: 'a', pipeline: [] }] }),
    },
    'stores a function for later': { allow: writer, body: shop({ insert: 'system.js', documents: [{ _id: 'f' }] }) },
    'reads a collection of commands': { allow: writer, body: shop({ find: '$cmd.sys.inprog' }) },
    'lists what everybody does': { allow: writer, body: { currentOp: 1, $db: 'shop' } },
    'kills what others do': { allow: writer, body: { killOp: 1, op: 5, $db: 'shop' } },
    'kills the sessions of others': { allow: writer, body: { killAllSessions: [], $db: 'shop' } },
    'turns to the admin database': { allow: writer, body: { listDatabases: 1, $db: 'admin' } },
    'writes to another database through applyOps': {
      allow: { ...writer, commands: ['*'] },
      body: shop({ applyOps: [{ op: 'u', ns: 'payroll.salaries', o2: { _id: 1 }, o: { $set: { pay: 9 } } }] }),
    },
    'measures another database through dataSize': {
      allow: { ...writer, commands: ['@administer'] },
      body: shop({ dataSize: 'payroll.salaries' }),
    },
    'measures another database through explain': {
      allow: { ...writer, commands: ['*'] },
      body: shop({ explain: { datasize: 'payroll.salaries' } }),
    },
    'gives a user of its own database a role in another one': {
      allow: { ...writer, commands: ['createUser'] },
      body: shop({ createUser: 'eve', pwd: 'sesame', roles: [{ role: 'read', db: 'payroll' }] }),
    },
    'uses a stage that nobody knows': { allow: writer, body: pipeline({ $peekAt: { from: 'b' } }) },
    'uses a stage of servers among themselves': { allow: writer, body: pipeline({ $_internalAllCollectionStats: {} }) },
    'hides an unknown stage within $facet': { allow: writer, body: pipeline({ $facet: { f: [{ $peekAt: {} }] } }) },
    'hides an unknown stage within $lookup': {
      allow: writer,
      body: pipeline({ $lookup: { from: 'b', pipeline: [{ $peekAt: {} }], as: 'x' } }),
    },
    'watches every database': { allow: writer, body: pipeline({ $changeStream: { allChangesForCluster: true } }) },
    'runs $where in a filter': { allow: writer, body: shop({ find: 'a', filter: { $where: 'sleep(1e9)' } }) },
    'runs $where deep in a filter': {
      allow: writer,
      body: shop({ count: 'a', query: { $and: [{ x: 1 }, { $or: [{ $where: 'sleep(1e9)' }] }] } }),
    },
    'runs $where in an update’s sequence': {
      allow: writer,
      body: shop({ update: 'a' }),
      options: {
        sequences: {
          updates: [
            { q: {}, u: {} },
            { q: { $where: 'sleep(1e9)' }, u: {} },
          ],
        },
      },
    },
    'runs $where in a delete': {
      allow: writer,
      body: shop({ delete: 'a', deletes: [{ q: { $where: 'sleep(1e9)' }, limit: 0 }] }),
    },
    'runs $where in a bulkWrite': {
      allow: { ...writer, databases: ['*'] },
      body: { bulkWrite: 1, $db: 'admin' },
      options: { sequences: { ops: [{ delete: 0, filter: { $where: 'sleep(1e9)' } }], nsInfo: [{ ns: 'shop.a' }] } },
    },
    'runs $function in an expression': {
      allow: writer,
      body: shop({ find: 'a', filter: { $expr: { $function: { body: 'f', args: [], lang: 'js' } } } }),
    },
    'runs $accumulator in a group': {
      allow: writer,
      body: pipeline({ $group: { _id: 1, x: { $accumulator: { init: 'f', lang: 'js' } } } }),
    },
    'runs mapReduce': { allow: writer, body: shop({ mapReduce: 'a', map: 'm', reduce: 'r', out: { inline: 1 } }) },
    'runs $where through explain': { allow: writer, body: shop({ explain: { find: 'a', filter: { $where: 'f' } } }) },
  };
  for (const [name, { allow, deny, body, options }] of Object.entries(attacks))
    it(`refuses whoever ${name}`, async () => {
      site = await Site.start({ allow, ...(deny && { deny }) });
      const talk = await site.as();
      const answer = await talk.ask(message(body, options));
      assert.equal(answer['code'], 13, JSON.stringify(answer));
      assert.deepEqual(site.server.commands, []);
      assert.equal((await talk.ask(message({ ping: 1, $db: 'shop' })))['ok'], 1);
    });

  /** What must not be taken for an attack. */
  const harmless: readonly (readonly [string, object, Document])[] = [
    ['a document with a field that is called $where', writer, shop({ insert: 'a', documents: [{ $where: 'text' }] })],
    ['the word $where in a text', writer, shop({ find: 'a', filter: { x: '$where' } })],
    ['data that is called pipeline', writer, pipeline({ $match: { pipeline: [{ x: 1 }] } })],
    ['aggregate by its name', { ...reader, commands: ['aggregate'] }, pipeline({ $match: {} })],
    ['findAndModify by its name', { ...writer, commands: ['findAndModify'] }, shop({ findandmodify: 'a', remove: true })], // prettier-ignore
    ['$out with the right to write', writer, pipeline({ $out: 'b' })],
    ['mapReduce with the right to execute', { ...writer, commands: ['@read', '@execute'] }, shop({ mapReduce: 'a', map: 'm', reduce: 'r', out: { inline: 1 } })], // prettier-ignore
    ['applyOps of whoever administers the server', { ...writer, databases: ['shop', 'admin'], commands: ['*'] }, shop({ applyOps: [] })], // prettier-ignore
    ['an administrator’s look at a collection', { ...writer, commands: ['@administer'] }, shop({ validate: 'a' })],
    ['the removal of a user of the database', { ...writer, commands: ['@administer'] }, shop({ dropUser: 'eve' })],
    ['what drivers say about their sessions', { ...reader, commands: [] }, { endSessions: [], $db: 'admin' }],
    ['what mongosh asks first', { ...reader, commands: [] }, { buildInfo: 1, $db: 'admin' }],
    ['bulkWrite by its name', { ...writer, commands: ['bulkWrite'] }, { bulkWrite: 1, $db: 'admin', ops: [{ delete: 0, filter: {} }], nsInfo: [{ ns: 'shop.a' }] }], // prettier-ignore
    ['a time series', writer, shop({ find: 'system.buckets.a' })],
  ];
  for (const [name, allow, body] of harmless)
    it(`lets ${name} through`, async () => {
      site = await Site.start({ allow, script: () => ({ ok: 1 }) });
      assert.equal((await (await site.as()).ask(message(body)))['ok'], 1);
    });

  /** Nothing of the stream can be believed after these. */
  const smuggled: readonly (readonly [string, Document, MessageOptions?])[] = [
    ['a pipeline in a sequence', shop({ aggregate: 'a', cursor: {} }), { sequences: { pipeline: [{ $out: 'b' }] } }],
    ['a second command in a sequence', shop({ find: 'a' }), { sequences: { drop: [{ x: 1 }] } }],
    ['the sequence of another command', shop({ find: 'a' }), { sequences: { documents: [{ x: 1 }] } }],
    ['cursors in a sequence', shop({ killCursors: 'a' }), { sequences: { cursors: [{ x: 1 }] } }],
    ['a bulkWrite that names no collection', { bulkWrite: 1, ops: [], nsInfo: [], $db: 'admin' }],
    ['a bulkWrite within explain', shop({ explain: { bulkWrite: 1, ops: [], nsInfo: [{ ns: 'payroll.a' }] } })],
    ['explain within explain', shop({ explain: { explain: { find: 'a' } } })],
    ['two databases for one output', pipeline({ $out: { db: 'shop', coll: 'b', replace: 'c' } })],
    ['a collection that is named by a number', pipeline({ $lookup: { from: 5 } })],
    ['ten thousand fields where a few belong', pipeline({ $lookup: wide(10_000) })],
    ['ten thousand namespaces', { bulkWrite: 1, ops: [], nsInfo: Object.values(wide(10_000)), $db: 'admin' }],
    ['a command of 17 MB', shop({ find: 'a', filter: { x: new Binary(Buffer.alloc(17_000_000)) } })],
  ];
  for (const [name, body, options] of smuggled)
    it(`ends a session that sends ${name}, and says why`, async () => {
      site = await Site.start({ allow: everything });
      const talk = await site.as();
      const answer = await talk.ask(message(body, options));
      assert.equal(answer['code'], 9, JSON.stringify(answer));
      assert.equal(await talk.message(), undefined);
      assert.deepEqual(site.server.commands, []);
    });

  it('kills its own cursors as often as it likes', async () => {
    site = await Site.start({ allow: reader, config: { max_cursors: 4 }, script: fixedBatch() });
    const talk = await site.as();
    for (let round = 0; round < 12; round += 1) {
      const { id } = cursorOf(await talk.ask(message(shop({ find: 'a', batchSize: 1 }))));
      assert.equal((await talk.ask(message(shop({ killCursors: 'a', cursors: [id] }))))['ok'], 1);
      const again = await talk.ask(message(shop({ killCursors: 'a', cursors: [id] })));
      assert.match(String(again['errmsg']), /has not opened it/);
    }
  });

  const closers: readonly (readonly [string, object, Document, Document])[] = [
    ['that it may open by name', { ...reader, commands: ['find'] }, shop({ find: 'a' }), shop({ killCursors: 'a' })],
    ['of its bulkWrite', { ...writer, commands: ['bulkWrite'] }, { bulkWrite: 1, ops: [{ insert: 0, document: {} }], nsInfo: [{ ns: 'shop.a' }], $db: 'admin' }, { killCursors: '$cmd.bulkWrite', $db: 'admin' }], // prettier-ignore
  ];
  for (const [which, allow, open, close] of closers)
    it(`closes cursors ${which}`, async () => {
      site = await Site.start({ allow, script: fixedBatch() });
      const talk = await site.as();
      const { id } = cursorOf(await talk.ask(message(open)));
      const answer = await talk.ask(message({ ...close, cursors: [id] }));
      assert.equal(answer['ok'], 1, JSON.stringify(answer));
      assert.match(String((await talk.ask(message({ ...close, cursors: [id] })))['errmsg']), /has not opened it/);
    });

  it('kills a cursor after the role by which it was opened is gone', async () => {
    site = await Site.start({ allow: reader, script: fixedBatch() });
    const talk = await site.as();
    const { id } = cursorOf(await talk.ask(message(shop({ find: 'a' }))));
    site.host.decide = async (_, { command }) =>
      command === 'find' ? { code: 'access_denied', message: 'the role is gone' } : undefined;
    site.host.revision += 1;
    const answer = await talk.ask(message(shop({ killCursors: 'a', cursors: [id] })));
    assert.match(String(answer['errmsg']), /the role is gone/);
  });

  it('leaves cursors open until the oldest is forgotten, and nothing else of the session', async () => {
    site = await Site.start({ allow: reader, config: { max_cursors: 3 }, script: fixedBatch() });
    const talk = await site.as();
    const ids: Long[] = [];
    while (ids.length < 4) ids.push(cursorOf(await talk.ask(message(shop({ find: 'a', batchSize: 1 })))).id);
    const more = async (id: Long | undefined) => talk.ask(message(shop({ getMore: id, collection: 'a' })));
    assert.match(String((await more(ids[0]))['errmsg']), /has not opened it/);
    assert.equal((await more(ids[3]))['ok'], 1);
  });

  it('goes on with what a server sends on and on after its role is gone', async () => {
    site = await Site.start({ allow: reader, script: fixedBatch() });
    const talk = await site.as();
    const { id } = cursorOf(await talk.ask(message(shop({ find: 'a', batchSize: 1 }))));
    site.host.decide = async () => ({ code: 'access_denied', message: 'the role is gone' });
    site.host.revision += 1;
    talk.send(message(shop({ getMore: id, collection: 'a' }), { flags: flag.exhaustAllowed }));
    assert.match(String((await talk.answer())['errmsg']), /the role is gone/);
  });

  it('asks for what is denied and reads no answers', async () => {
    site = await Site.start({ allow: reader });
    const talk = await site.as();
    talk.stream.pause();
    const denied = message({ find: 'a', filter: { text: 'x'.repeat(10_000) }, $db: 'payroll' });
    for (let count = 0; count < 2000; count += 1) talk.stream.write(denied);
    let before = -1;
    const seen = () => site.events('session.denied').length;
    while (seen() !== before) {
      before = seen();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.ok(seen() < 1500, `${seen()} answers wait in memory`);
  });
});

/** A server whose cursors never end. */
function fixedBatch() {
  let next = 900;
  return ({ find, bulkWrite, getMore, killCursors, cursors }: Document): Document | undefined => {
    const namespace = bulkWrite === undefined ? 'shop.a' : 'admin.$cmd.bulkWrite';
    if (find !== undefined || bulkWrite !== undefined)
      return { cursor: { firstBatch: [{}], id: Long.fromNumber((next += 1)), ns: namespace }, ok: 1 };
    if (getMore !== undefined) return { cursor: { nextBatch: [{}], id: getMore as Long, ns: namespace }, ok: 1 };
    return killCursors === undefined ? undefined : { cursorsKilled: cursors as unknown, ok: 1 };
  };
}

function wide(count: number): Document {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, { ns: 'shop.a' }]));
}
