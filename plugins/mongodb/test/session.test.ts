import assert from 'node:assert/strict';
import { flag } from '../src/wire.js';
import { ScriptedServer } from './support/scripted-server.js';
import { Site } from './support/site.js';
import { cursorOf, hello, message } from './support/talk.js';

describe('a MongoDB session', function () {
  this.timeout(30_000);
  let site: Site;
  afterEach(() => site[Symbol.asyncDispose]());

  for (const method of ['scram-sha-256', 'scram-sha-1'] as const)
    it(`logs in with ${method}, of which the client knows nothing`, async () => {
      site = await Site.start({ spec: { auth: { method, secret: 'app' } } });
      await site.as();
      assert.deepEqual(site.server.logins, ['app']);
      assert.deepEqual(site.events('mongodb.login'), [{ user: 'app', method, tls: 'none' }]);
    });

  it('says in the words of the protocol that the server refused the password', async () => {
    site = await Site.start({ users: { app: 'another' } });
    const answer = await site.connect().ask(hello('app'));
    assert.match(String(answer['errmsg']), /the server refused the login of app/);
    assert.ok(!JSON.stringify(answer).includes('another'));
  });

  it('greets an old client as it has greeted, and shows a member of a replica set alone', async () => {
    const neighbours = { setName: 'rs0', hosts: ['a.internal:1'], primary: 'a.internal:1', me: 'b.internal:1' };
    site = await Site.start({ hello: { ...neighbours, topologyVersion: { counter: 1 }, compression: ['zlib'] } });
    for (const legacy of [true, false]) {
      const answer = await site.connect().ask(hello('app', { legacy }));
      assert.equal(answer['msg'], 'isdbgrid');
      assert.equal(answer['maxWireVersion'], 21);
      assert.ok(!/internal|rs0|zlib|counter/.test(JSON.stringify(answer)));
    }
    for (const greeting of site.server.greetings) {
      assert.ok(!('compression' in greeting));
      assert.ok(!('speculativeAuthenticate' in greeting));
    }
  });

  it('watches without being anybody, and becomes somebody when it has to', async () => {
    site = await Site.start();
    const talk = site.connect();
    await talk.ask(hello());
    await talk.ask(hello());
    assert.deepEqual(site.server.logins, []);
    const login = { authenticate: 1, mechanism: 'MONGODB-X509', user: 'app', $db: '$external' };
    assert.equal((await talk.ask(message(login)))['user'], 'app');
    assert.deepEqual(site.server.logins, ['app']);
    assert.equal((await talk.ask(message({ ping: 1, $db: 'shop' })))['ok'], 1);
  });

  it('becomes whoever the resource names where the client names nobody', async () => {
    site = await Site.start({ spec: { user: 'app' } });
    const talk = site.connect();
    await talk.ask(hello());
    const documents = [{ text: 'x'.repeat(100_000) }];
    assert.equal((await talk.ask(message({ insert: 'a', documents, $db: 'shop' })))['n'], 1);
    assert.deepEqual(site.server.logins, ['app']);
  });

  it('tells a client that names nobody how to do so', async () => {
    site = await Site.start({ allow: { users: ['a*'], databases: ['*'], commands: ['*'] } });
    const talk = site.connect();
    await talk.ask(hello());
    const answer = await talk.ask(message({ find: 'a', $db: 'shop' }));
    assert.match(String(answer['errmsg']), /say which user of the database/);
  });

  it('reads a cursor to its end on another connection of the session', async () => {
    site = await Site.start();
    const [one, two] = [await site.as(), await site.as()];
    await one.ask(message({ insert: 'a', documents: [{ x: 1 }, { x: 2 }, { x: 3 }], $db: 'shop' }));
    const { id } = cursorOf(await one.ask(message({ find: 'a', batchSize: 1, $db: 'shop' })));
    const more = message({ getMore: id, collection: 'a', batchSize: 5, $db: 'shop' });
    assert.equal(cursorOf(await two.ask(more)).size, 2);
    assert.match(String((await two.ask(more))['errmsg']), /has not opened it/);
  });

  it('carries the answers that a server sends on and on', async () => {
    site = await Site.start();
    const talk = await site.as();
    const documents = Array.from({ length: 7 }, (_, x) => ({ x }));
    await talk.ask(message({ insert: 'a', documents, $db: 'shop' }));
    const { id } = cursorOf(await talk.ask(message({ find: 'a', batchSize: 1, $db: 'shop' })));
    talk.send(message({ getMore: id, collection: 'a', batchSize: 2, $db: 'shop' }, { flags: flag.exhaustAllowed }));
    const sizes: number[] = [];
    while (sizes.length < 3) sizes.push(cursorOf(await talk.answer()).size);
    assert.deepEqual(sizes, [2, 2, 2]);
    assert.equal((await talk.ask(message({ ping: 1, $db: 'shop' })))['ok'], 1);
  });

  it('reports each command before it goes on, and what came of it', async () => {
    site = await Site.start();
    const talk = await site.as();
    await talk.ask(message({ insert: 'a', $db: 'shop' }, { sequences: { documents: [{ x: 1 }, { x: 2 }] } }));
    await talk.ask(message({ find: 'a', filter: { x: 1 }, $db: 'shop' }));
    const [insert, find] = site.events('mongodb.command');
    assert.equal(insert?.['statement'], '{insert: "a"} documents: [{x: 1}{x: 2}]');
    assert.equal(insert['documents'], 2);
    assert.deepEqual(
      [find?.['command'], find?.['class'], find?.['database'], find?.['collection'], find?.['statement']],
      ['find', 'read', 'shop', 'a', '{find: "a", filter: {x: 1}}'],
    );
    assert.deepEqual(
      site.events('mongodb.result').map(({ outcome, documents, affected }) => [outcome, documents, affected]),
      [
        ['completed', undefined, 2],
        ['completed', 2, undefined],
      ],
    );
    assert.equal(site.host.recordings.length, 1);
  });

  it('looks for the primary among the members of a replica set, for each connection anew', async () => {
    const writable = { first: false };
    const role = (primary: boolean) => ({
      setName: 'rs0',
      isWritablePrimary: primary,
      ismaster: primary,
      secondary: !primary,
    });
    await using second = await ScriptedServer.start({ users: { app: 'pencil' }, greet: () => role(!writable.first) });
    await using third = await ScriptedServer.start({ users: { app: 'pencil' }, greet: () => role(false) });
    const gone = await ScriptedServer.start();
    await gone[Symbol.asyncDispose]();
    site = await Site.start({
      greet: () => role(writable.first),
      spec: { members: [gone.endpoint, third.endpoint, second.endpoint] },
    });
    await (await site.as()).ask(message({ insert: 'a', documents: [{}], $db: 'shop' }));
    assert.deepEqual([site.server, third, second].map(({ commands }) => commands.length), [0, 0, 1]); // prettier-ignore
    assert.deepEqual([site.server.logins, third.logins, second.logins], [[], [], ['app']]);
    writable.first = true;
    await (await site.as()).ask(message({ insert: 'a', documents: [{}], $db: 'shop' }));
    assert.deepEqual([site.server, third, second].map(({ commands }) => commands.length), [1, 0, 1]); // prettier-ignore
  });

  it('speaks to whoever is there while no member is the primary', async () => {
    site = await Site.start({ hello: { setName: 'rs0', isWritablePrimary: false, ismaster: false, secondary: true } });
    const talk = site.connect();
    const answer = await talk.ask(hello('app'));
    assert.deepEqual([answer['isWritablePrimary'], answer['secondary'], answer['msg']], [false, undefined, 'isdbgrid']);
    assert.equal((await talk.ask(message({ find: 'a', $db: 'shop' })))['ok'], 1);
  });

  it('forbids what a role denies though another allows it', async () => {
    site = await Site.start({
      allow: { users: ['app'], databases: ['*'], commands: ['*'] },
      deny: { collections: ['shop.secret'], commands: ['@administer'] },
    });
    const talk = await site.as();
    const denied = [{ find: 'secret', $db: 'shop' }, { serverStatus: 1, $db: 'admin' }, { aggregate: 'a', pipeline: [{ $lookup: { from: 'secret' } }], $db: 'shop' }]; // prettier-ignore
    for (const body of denied) assert.equal((await talk.ask(message(body)))['code'], 13);
    assert.equal((await talk.ask(message({ find: 'open', $db: 'shop' })))['ok'], 1);
  });

  /** What a server may say that lies. */
  const lies: readonly (readonly [string, (requestId: number) => Buffer])[] = [
    ['answers what nobody has asked', () => answerTo(1_000_000)],
    ['sends a length that is none', (id) => lying(id, (data) => data.writeInt32LE(-5, 0))],
    ['sends a document that is longer than its message', (id) => lying(id, (data) => data.writeInt32LE(9999, 21))],
    ['sends a section that nobody knows', (id) => lying(id, (data) => data.writeUInt8(3, 20))],
    ['compresses', (id) => lying(id, (data) => data.writeInt32LE(2012, 12))],
  ];
  for (const [name, lie] of lies)
    it(`ends, and leaves others alone, where a server ${name}`, async () => {
      site = await Site.start({
        script: ({ find }, { requestId }) => (find === 'lie' ? lie(requestId) : undefined),
      });
      const [victim, other] = [await site.as(), await site.as()];
      victim.send(message({ find: 'lie', $db: 'shop' }));
      while (await victim.message());
      assert.equal((await other.ask(message({ find: 'a', $db: 'shop' })))['ok'], 1);
    });
});

function answerTo(responseTo: number): Buffer {
  const data = message({ ok: 1 });
  data.writeInt32LE(responseTo, 8);
  return data;
}

function lying(responseTo: number, lie: (data: Buffer) => void): Buffer {
  const data = answerTo(responseTo);
  lie(data);
  return data;
}
