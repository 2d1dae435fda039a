import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../test/support/cluster.js';
import { TlsListener } from '../../src/api/http-listener.js';
import { watchClient } from '../../src/api/slow-client.js';
import { TestAuthority } from '../tunnels/test-authority.js';

describe('the watch over a client', () => {
  const watched = (taken: () => number, owed: () => number) =>
    new Promise<string>((resolve) => {
      const response = Object.assign(new EventEmitter(), {});
      Object.defineProperty(response, 'writableLength', { get: owed });
      const exchange = { response: response as unknown as ServerResponse, isComplete: () => true };
      let looks = 0;
      const end = (how: string): void => {
        response.emit('close');
        resolve(how);
      };
      const look = (): number => {
        looks += 1;
        if (looks === 20) setImmediate(end, 'left alone');
        return taken();
      };
      const more = { waiting: () => 0, received: () => 0, taken: look };
      watchClient({ ...exchange, ...more }, { stallMs: 5, stallBytes: 4096 }, () => end('cut'));
    });

  it('leaves one alone that takes a few bytes of an answer between two looks', async () => {
    let [taken, owed] = [0, 1_000_000];
    assert.equal(
      await watched(
        () => (taken += 1000),
        () => owed,
      ),
      'left alone',
    );
    assert.equal(
      await watched(
        () => 0,
        () => (owed -= 1000),
      ),
      'left alone',
    );
  });

  it('leaves one alone that is owed nothing', async () => {
    assert.equal(
      await watched(
        () => 0,
        () => 0,
      ),
      'left alone',
    );
  });

  it('withstands one that takes nothing', async () => {
    assert.equal(
      await watched(
        () => 0,
        () => 1_000_000,
      ),
      'cut',
    );
  });
});

describe('a listener for TLS', () => {
  let listener: TlsListener;
  let server: net.Server;
  const asked: string[] = [];
  const accepted = new Set<net.Socket>();
  before(async () => {
    const { certificate, key } = await (await TestAuthority.create('clients')).issue('auth.test', ['auth.test']);
    listener = new TlsListener({
      certificate,
      key,
      minVersion: 'TLSv1.2',
      fetch: async (request, { source }) => {
        const { pathname } = new URL(request.url);
        asked.push(`${pathname} ${source}`);
        if (pathname === '/silent') await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        if (pathname === '/large') return new Response(new Uint8Array(64_000_000));
        return new Response(request.method === 'POST' ? await request.text() : 'ok');
      },
      limits: { idleMs: 500, handshakeMs: 500, stallMs: 500, connections: 8 },
    });
    server = net
      .createServer({ allowHalfOpen: true }, (socket) => {
        accepted.add(socket);
        socket.on('error', () => {}).once('close', () => accepted.delete(socket));
        listener.accept(socket, `192.0.2.${accepted.size}`);
      })
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    await listener[Symbol.asyncDispose]();
    server.close();
  });
  beforeEach(() => asked.splice(0));
  afterEach(() => until(() => accepted.size === 0));

  const dial = (): net.Socket =>
    net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
  const open = (alpn: string, socket = dial()): tls.TLSSocket =>
    tls
      .connect({ socket, servername: 'auth.test', rejectUnauthorized: false, ALPNProtocols: [alpn] })
      .on('error', () => {});
  const session = (socket = dial()): http2.ClientHttp2Session =>
    http2.connect('https://auth.test', { createConnection: () => open('h2', socket) }).on('error', () => {});
  const get = async (client: http2.ClientHttp2Session): Promise<string> => {
    const stream = client.request({ ':path': '/' });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text;
  };
  /** Writes a byte again and again until somebody has enough. */
  const drip = async (stream: NodeJS.WritableStream, over: () => boolean): Promise<void> => {
    const timer = setInterval(() => stream.write('x'), 20);
    await until(over);
    clearInterval(timer);
  };

  it('withstands a client that never shakes hands', async () => {
    const silent = dial().resume();
    await until(() => silent.destroyed || silent.readableEnded);
  });

  it('withstands slowloris over HTTP/1.1: a head that comes a byte at a time', async () => {
    const slow = open('http/1.1').resume();
    slow.write('GET / HTTP/1.1\r\nHost: auth.test\r\nX: ');
    await drip(slow, () => slow.destroyed);
    assert.deepEqual(asked, []);
  });

  it('withstands slowloris over HTTP/1.1: a body that comes a byte at a time', async () => {
    const slow = open('http/1.1').resume();
    slow.write('POST / HTTP/1.1\r\nHost: auth.test\r\nContent-Length: 100000\r\n\r\n');
    await drip(slow, () => slow.destroyed);
  });

  it('withstands slowloris over HTTP/2: frames that never make a request', async () => {
    const slow = open('h2').resume();
    slow.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    slow.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    // The head of a HEADERS frame of 16 kB, and then its content.
    slow.write(Buffer.from([0, 0x40, 0, 1, 0, 0, 0, 0, 1]));
    await drip(slow, () => slow.destroyed);
    assert.deepEqual(asked, []);
  });

  it('withstands slowloris over HTTP/2: a body that comes a byte at a time', async () => {
    const client = session();
    const stream = client.request({ ':path': '/', ':method': 'POST' }).on('error', () => {});
    await drip(stream, () => stream.destroyed);
    assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
    client.destroy();
  });

  it('withstands a client of HTTP/2 that takes nothing of an answer', async () => {
    const client = session();
    const stream = client.request({ ':path': '/large' }).on('error', () => {});
    stream.pause();
    await until(() => stream.destroyed || stream.aborted);
    client.destroy();
  });

  it('lets a client of HTTP/2 take its time for an answer, as long as it takes any of it', async () => {
    const client = session();
    let [bytes, rested] = [0, 0];
    for await (const chunk of client.request({ ':path': '/large' })) {
      bytes += (chunk as Buffer).length;
      if (bytes >= 8_000_000) break;
      if (bytes - rested < 400_000) continue;
      rested = bytes;
      await sleep(100);
    }
    assert.ok(bytes >= 8_000_000, `cut after ${bytes} bytes`);
    client.destroy();
  }).timeout(60_000);

  it('withstands a client of HTTP/2 that keeps a connection with nothing but PING', async () => {
    const client = session();
    assert.equal(await get(client), 'ok');
    const timer = setInterval(() => {
      if (!client.destroyed) client.ping(() => {});
    }, 20);
    await until(() => client.destroyed);
    clearInterval(timer);
  });

  it('lets a client wait for an answer that takes its time', async () => {
    const client = session();
    const stream = client.request({ ':path': '/silent' }).on('error', () => {});
    await until(() => asked.length === 1);
    await sleep(1600);
    assert.equal(stream.destroyed, false);
    client.destroy();
  });

  it('withstands a flood of connections that ask for nothing, and serves who asks', async () => {
    const flood = Array.from({ length: 30 }, () => open('h2').resume());
    await until(() => flood.filter((one) => one.destroyed || one.readableEnded).length >= 20);
    const client = session();
    assert.equal(await get(client), 'ok');
    client.destroy();
    for (const one of flood) one.destroy();
  });

  it('withstands thousands of streams that are reset at once, and serves who asks meanwhile', async () => {
    const socket = dial();
    const flood = session(socket);
    await once(flood, 'connect');
    for (let sent = 0; sent < 3000; sent++) {
      const stream = flood.request({ ':path': '/' }).on('error', () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (sent % 100 === 0) await sleep(1);
    }
    const client = session();
    assert.equal(await get(client), 'ok');
    client.destroy();
    await until(() => accepted.size === 0);
    assert.ok(asked.length < 2000, `${asked.length} were answered`);
    flood.destroy();
    socket.destroy();
  }).timeout(30_000);

  it('tells each request where its own connection is from', async () => {
    const [one, other] = [session(), session()];
    await Promise.all([get(one), get(other)]);
    await get(one);
    assert.equal(new Set(asked).size, 2);
    one.destroy();
    other.destroy();
  });
});
