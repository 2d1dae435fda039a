import assert from 'node:assert/strict';
import { createLock, deleteDocument, deleteLock } from '../../src/api/contract/index.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import type { TestLogin } from '../../../test/support/login.js';
import { LineClient } from './line-client.js';
import { startLines } from './line-world.js';

const document = { kind: 'lines', name: 'box', labels: { env: 'test' }, spec: { note: 'first' } };

describe('a client that takes its time to open', () => {
  let cluster: TestCluster;
  let login: TestLogin;

  before(async () => {
    const allow = { lines: { labels: { env: 'test' }, users: ['reader'] } };
    cluster = await startLines({
      roles: [{ name: 'tester', allow }],
      users: { ann: { roles: ['tester'] } },
      resources: [],
    });
    login = await cluster.login('ann');
  });
  beforeEach(() => cluster.put(document));
  after(() => cluster[Symbol.asyncDispose]());

  /** What a client is told that connects, waits until something has happened, and then says hello. */
  async function toldAfter(act: () => Promise<unknown>): Promise<string> {
    const denied = async () => (await cluster.events({ types: ['session.denied'] })).length;
    const before = await denied();
    const client = new LineClient(await cluster.connect('lines', 'box', login));
    await act();
    await cluster.seen();
    const answer = await client.ask('hello reader');
    if (answer !== 'ok hello') assert.equal(await denied(), before + 1);
    client[Symbol.dispose]();
    return answer ?? '';
  }

  it('is not let in by labels that the resource has no more', async () => {
    const act = () => cluster.put({ ...document, labels: { env: 'production' } });
    assert.match(await toldAfter(act), /^no access_denied /);
  });

  it('is not let into a resource that was removed', async () => {
    const { kind, name } = document;
    const act = () => cluster.admin.call(deleteDocument, { kind, name });
    assert.equal(await toldAfter(act), 'no not_found the resource was removed');
  });

  it('is not led to where the resource was before', async () => {
    const act = () => cluster.put({ ...document, spec: { note: 'second' } });
    assert.equal(await toldAfter(act), 'no unavailable the resource was changed meanwhile; connect again');
  });

  it('is let in where nothing changed that matters', async () => {
    assert.equal(await toldAfter(() => cluster.put(document)), 'ok hello');
    assert.equal(await toldAfter(() => cluster.put({ ...document, labels: { env: 'test', a: 'b' } })), 'ok hello');
  });

  it('is held off by a lock that came meanwhile', async () => {
    let id = '';
    const act = async (): Promise<void> => {
      ({ id } = await cluster.admin.call(createLock, { target: { user: 'ann' } }));
    };
    assert.match(await toldAfter(act), /^no locked /);
    await cluster.admin.call(deleteLock, { id });
    await cluster.seen();
    assert.equal(await toldAfter(async () => {}), 'ok hello');
  });
});
