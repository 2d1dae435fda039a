import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { helloMessage, records } from '../../kernel/test/tunnels/hello-bytes.js';
import { untilClosed } from '../../kernel/test/tunnels/port-fixture.js';
import { until } from '../support/cluster.js';
import { Dripping } from './support/dripping.js';
import { WatchedSite } from './support/watched-site.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';

const startup = (() => {
  const body = Buffer.from('\0\x03\0\0user\0app\0database\0bench\0\0', 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
})();

describe('bad input at the public port of a whole cluster', function () {
  this.timeout(60_000);
  let world: WatchedSite;

  before(async function () {
    world = await WatchedSite.start(this);
  });
  after(() => (world as WatchedSite | undefined)?.[Symbol.asyncDispose]());
  beforeEach(() => world.forget());
  afterEach(() => world.canary.sing());

  const garbage: readonly { name: string; bytes: Buffer | string; code: string; answer: RegExp }[] = [
    { name: 'five bytes of nothing', bytes: Buffer.from('9a17c3ee02', 'hex'), code: 'unrecognised', answer: /^$/ },
    { name: 'a megabyte of nothing', bytes: Buffer.alloc(1_000_000, 0x99), code: 'unrecognised', answer: /^$/ },
    {
      name: 'a hello of 16 MB',
      bytes: Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 255, 255, 255]), Buffer.alloc(8000)]),
      code: 'malformed',
      answer: /^\x15\x03\x03\x00\x02\x02\x32$/,
    },
    {
      name: 'a first message of PostgreSQL that claims a gigabyte',
      bytes: Buffer.from([0x40, 0, 0, 0, 0, 3, 0, 0]),
      code: 'unrecognised',
      answer: /^$/,
    },
    {
      name: 'a name that leads nowhere',
      bytes: 'POSTERN/1 none.ssh.cluster.test\n',
      code: 'unknown_name',
      answer: /^error /,
    },
  ];
  for (const { name, bytes, code, answer } of garbage)
    it(`refuses ${name}, once`, async () => {
      assert.match(await world.send(bytes), answer);
      assert.deepEqual(await world.said(), [['connection.refused', code]]);
    });

  it('tells a database client without TLS what to do, in its own words', async () => {
    const answer = await world.send(startup);
    assert.match(answer, /^E[^]*SFATAL\0[^]*encrypted connections only/);
    assert.deepEqual(await world.said(), [['connection.refused', 'turned_away']]);
  });

  it('tells an SSH client that names no node where to go, in its own words', async () => {
    const answer = await world.send('SSH-2.0-OpenSSH_9.2\r\n');
    assert.match(answer, /^SSH-2\.0-[^]*run psh login/);
    assert.deepEqual(await world.said(), [['connection.refused', 'turned_away']]);
  });

  it('gives who says nothing, half a hello or a hello by the byte ten seconds, and one event each', async () => {
    const hello = records(helloMessage({ sni: world.site.cluster.hostname('postgres', 'shop') }));
    const drip = async (): Promise<void> => {
      const socket = await world.site.cluster.open(world.stranger());
      const closed = untilClosed(socket);
      for (const byte of hello) {
        if (socket.destroyed) break;
        socket.write(Buffer.from([byte]));
        await sleep(200);
      }
      await closed;
    };
    const started = performance.now();
    await Promise.all([world.send(''), world.send(hello.subarray(0, 60)), world.send('POSTERN/1 box'), drip()]);
    const took = performance.now() - started;
    assert.ok(took > 9900 && took < 20_000, `after ${took} ms`);
    assert.deepEqual(await world.said(4), Array(4).fill(['connection.refused', 'timeout']));
  });

  it('serves a hello of 12 kB and one that comes byte by byte', async () => {
    const { cluster } = world.site;
    for (const [raw, protocols] of [
      [
        await cluster.open(world.stranger()),
        Array.from({ length: 400 }, (_, at) => `no-protocol-at-all-${at}-xxxxxxxx`),
      ],
      [new Dripping(await cluster.open(world.stranger())), []],
    ] as const) {
      const stream = tls.connect({
        socket: raw,
        servername: cluster.hostname('postgres', 'shop'),
        ca: cluster.authorities,
        cert: world.user.certificate,
        key: world.user.key,
        ALPNProtocols: [...protocols, 'postgresql'],
      });
      stream.on('error', () => {});
      await once(stream, 'secureConnect');
      stream.write(startup);
      const [answer] = (await once(stream, 'data')) as [Buffer];
      assert.equal(answer.toString('latin1', 0, 1), 'R', answer.toString('latin1'));
      const closed = once(raw, 'close');
      stream.destroy();
      await closed;
    }
    assert.deepEqual(await world.said(2), Array(2).fill(['session.start', undefined]));
  });

  const oversized = [
    {
      kind: 'postgres',
      resource: 'shop',
      alpn: ['postgresql'],
      bytes: Buffer.from([0x7f, 255, 255, 255, 0, 3, 0, 0]),
      words: /^E[^]*SFATAL\0[^]*a length of 2147483647 bytes/,
    },
    {
      kind: 'redis',
      resource: 'cache',
      alpn: [],
      bytes: Buffer.from('*1\r\n$2147483647\r\n'),
      words: /^-ERR Protocol error: invalid bulk length\r\n$/,
    },
  ];
  for (const { kind, resource, alpn, bytes, words } of oversized)
    it(`refuses an oversized frame of ${kind} inside TLS, in its own words, once`, async () => {
      const stream = await world.site.cluster.connect(kind, resource, world.user, alpn.length > 0 ? { alpn } : {});
      stream.on('error', () => {});
      const answer = untilClosed(stream);
      stream.write(bytes);
      assert.match(await answer, words);
      assert.deepEqual(await world.said(), [['connection.refused', 'protocol_violation']]);
    });

  it('refuses an oversized packet of ssh', async () => {
    const socket = await world.site.cluster.route('ssh', 'box', { from: world.stranger() });
    const answer = untilClosed(socket.resume());
    socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.from([0x7f, 255, 255, 255, 4, 20])]));
    assert.match(await answer, /^SSH-2\.0-/);
    assert.deepEqual(await world.said(), [['connection.refused', 'protocol_violation']]);
  });

  it('bounds idle connections, and serves who says what it wants meanwhile', async function () {
    const many = full ? 10_000 : 1000;
    const each = 500;
    const before = process.memoryUsage().rss;
    const crowd: net.Socket[] = [];
    try {
      for (let begun = 0; begun < many; begun += 100) {
        const batch = Array.from({ length: 100 }, (_, at) => {
          const localAddress = `127.1.0.${1 + Math.floor((begun + at) / each)}`;
          const socket = net.connect({ port: world.site.cluster.port, host: '127.0.0.1', localAddress });
          return socket.on('error', () => {});
        });
        crowd.push(...batch);
        await Promise.all(batch.map((socket) => once(socket, 'connect')));
        await world.canary.sing();
      }
      assert.equal((await world.site.psql(world.user, 'select 1')).stdout, '1\n');
      const unclassified = world.site.cluster.running.port?.unclassified ?? Infinity;
      const grown = process.memoryUsage().rss - before;
      if (this.test) this.test.title += `: ${unclassified} left, ${Math.round(grown / many)} bytes each`;
      assert.ok(unclassified <= 256 * (many / each) && unclassified <= 4096);
      // Both ends of each are in this process.
      assert.ok(grown < 100_000_000 + many * 32_000, `${grown} bytes`);
    } finally {
      for (const socket of crowd) socket.destroy();
      await until(() => world.site.cluster.running.port?.unclassified === 0);
    }
  });
});
