import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { KeySpace } from '../../src/storage/etcd/codec.js';
import { feed } from '../../src/storage/etcd/feed.js';
import { Gateway } from '../../src/storage/etcd/gateway.js';
import { EtcdStore } from '../../src/storage/etcd/store.js';
import { show } from './conformance-harness.js';
import { EtcdServer, needEtcd } from './etcd-server.js';

/** Stands before a member of etcd; frozen, it keeps its connections and passes nothing on. */
class Front implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  #frozen = false;
  #holds: (sent: string) => boolean = () => true;

  private constructor(private readonly server: Server) {}

  static async to(member: EtcdServer): Promise<Front> {
    const server = createServer();
    const front = new Front(server);
    const { port } = new URL(member.endpoint);
    server.on('connection', (client) => front.#pass(client, Number(port)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return front;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  freeze(only: (sent: string) => boolean = () => true): void {
    this.#frozen = true;
    this.#holds = only;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.server.close(), 'close');
  }

  #pass(client: Socket, port: number): void {
    const member = connect(port, '127.0.0.1');
    let sent = '';
    const held = (): boolean => this.#frozen && this.#holds(sent);
    for (const [from, to] of [
      [client, member],
      [member, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk) => {
        if (from === client) sent = chunk.toString('latin1');
        if (!held()) to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

const prefix = 'watched/';

describe('a watch of etcd', function () {
  this.timeout(90_000);
  let server: EtcdServer;
  before(async function () {
    server = await EtcdServer.start(needEtcd(this), ['--unsafe-no-fsync']);
  });
  after(() => server?.[Symbol.asyncDispose]());

  /** Sees one change, then one that is made after the member was frozen. */
  async function goesOn(front: Front, freeze: () => void, patienceMs: number): Promise<void> {
    await using writer = await EtcdStore.open({ endpoints: [server.endpoint], prefix });
    const endpoints = [front.endpoint, server.endpoint];
    await using store = await EtcdStore.open({ endpoints, prefix, pulseMs: 200, timeoutMs: 4_000, patienceMs });
    const abort = new AbortController();
    const feed = store.watch('', await writer.revision(), abort.signal)[Symbol.asyncIterator]();
    const first = feed.next();
    const before = await writer.commit({ put: [{ key: 'a', value: 'before' }] });
    assert.deepEqual((await first).value?.map(show), [`put a=before@${before}`]);
    const second = feed.next();
    freeze();
    const after = await writer.commit({ put: [{ key: 'a', value: 'after' }] });
    assert.deepEqual((await second).value?.map(show), [`put a=after@${after}`]);
    abort.abort();
    await feed.next();
  }

  it('goes on at the next member where its own has stalled, which requests alone would notice', async () => {
    await using front = await Front.to(server);
    await goesOn(front, () => front.freeze(), 600_000);
  });

  it('goes on where its connection alone has stalled, and requests are answered', async () => {
    await using front = await Front.to(server);
    await goesOn(front, () => front.freeze((sent) => sent.includes('POST /v3/watch')), 6_000);
  });

  it('ends where its member has lost the leader, which etcd tells only who asks', async function () {
    await using lonely = await EtcdServer.start(needEtcd(this), ['--unsafe-no-fsync']);
    const gateway = new Gateway({ endpoints: [lonely.endpoint], prefix });
    const { signal } = new AbortController();
    const told = feed({ gateway, keys: new KeySpace(prefix), prefix: '', since: 1, signal });
    await told.next();
    const ended = assert.rejects(told.next(), { code: 'unavailable', message: 'the feed ended' });
    // A second member that is never there: one of two is no majority.
    await gateway.call('/v3/cluster/member/add', { peerURLs: ['http://127.0.0.1:1'] });
    await ended;
    gateway.close();
  });
});
