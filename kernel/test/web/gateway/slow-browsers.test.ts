import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../../test/support/cluster.js';
import { BrowserPort } from '../../../src/web/gateway/browser-port.js';
import { refuseUpgrade } from '../../../src/web/gateway/plain-answer.js';
import { contextOf } from '../../../src/web/gateway/web-certificate.js';
import { TestAuthority } from '../../tunnels/test-authority.js';

describe('a port for browsers', () => {
  let port: BrowserPort;
  let server: net.Server;
  const asked: (string | undefined)[] = [];
  const accepted = new Set<net.Socket>();
  before(async () => {
    const made = await (await TestAuthority.create('browsers')).issue('web.test', ['web.test']);
    const context = contextOf(made);
    port = new BrowserPort({
      context: () => context,
      matches: (name, host) => name === host,
      limits: { idleMs: 300, handshakeMs: 300, stallMs: 300, connections: 8 },
      request: (request, response) => {
        asked.push(request.url);
        if (request.url === '/large') return void response.end(Buffer.alloc(64_000_000));
        if (request.url === '/silent') return;
        request.resume().once('end', () => response.end('ok'));
      },
      upgrade: ({ socket }) => refuseUpgrade(socket, 403, 'no'),
    });
    server = net
      .createServer({ allowHalfOpen: true }, (socket) => {
        accepted.add(socket);
        socket.on('error', () => {}).once('close', () => accepted.delete(socket));
        port.accept(socket, '192.0.2.1');
      })
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    await port[Symbol.asyncDispose]();
    server.close();
  });

  const dial = (): net.Socket => {
    const { port: at } = server.address() as net.AddressInfo;
    return net.connect(at, '127.0.0.1').on('error', () => {});
  };
  const open = (more: net.SocketConstructorOpts = {}): tls.TLSSocket =>
    tls.connect({ socket: dial(), servername: 'web.test', rejectUnauthorized: false, ...more }).on('error', () => {});

  it('withstands slowloris: a head that comes a byte at a time', async () => {
    const slow = open();
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: web.test\r\nX: ${'a'.repeat(20_000)}`);
    for (let at = 0; at < bytes.length && !slow.destroyed; at += 1) {
      slow.write(bytes.subarray(at, at + 1));
      await sleep(5);
    }
    assert.ok(slow.destroyed);
    assert.deepEqual(asked, []);
  });

  it('withstands a browser that never shakes hands', async () => {
    const silent = dial().resume();
    await until(() => silent.destroyed || silent.readableEnded);
  });

  it('withstands a browser that keeps a connection for nothing', async () => {
    const idle = open().resume();
    idle.write('GET / HTTP/1.1\r\nHost: web.test\r\n\r\n');
    await until(() => idle.destroyed || idle.readableEnded);
  });

  it('withstands a browser that stays when it has been refused', async () => {
    const refused = open({ allowHalfOpen: true }).resume();
    refused.write('GET / HTTP/1.1\r\nHost: web.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    await once(refused, 'data');
    await until(() => accepted.size === 0);
    refused.destroy();
  });

  it('withstands slowloris: a body that comes a byte at a time', async () => {
    const slow = open().resume();
    slow.write('POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 1000000\r\n\r\n');
    const drip = setInterval(() => slow.write('x'), 20);
    await until(() => slow.destroyed);
    clearInterval(drip);
  });

  it('withstands a browser that takes nothing of an answer', async () => {
    const deaf = open();
    deaf.write('GET /large HTTP/1.1\r\nHost: web.test\r\n\r\n');
    deaf.pause();
    await until(() => asked.includes('/large'));
    await until(() => accepted.size === 0);
    deaf.destroy();
  });

  it('lets a browser take its time for an answer, as long as it takes any of it', async () => {
    const slow = open();
    slow.write('GET /large HTTP/1.1\r\nHost: web.test\r\n\r\n');
    let [bytes, rested] = [0, 0];
    for await (const chunk of slow) {
      bytes += (chunk as Buffer).length;
      if (bytes >= 24_000_000) break;
      if (bytes - rested < 2_000_000) continue;
      rested = bytes;
      await sleep(100);
    }
    assert.ok(bytes >= 24_000_000, `cut after ${bytes} bytes`);
    slow.destroy();
    await until(() => accepted.size === 0);
  }).timeout(60_000);

  it('lets a browser wait for an application that has nothing to say', async () => {
    const patient = open().resume();
    patient.write('GET /silent HTTP/1.1\r\nHost: web.test\r\n\r\n');
    await until(() => asked.includes('/silent'));
    await sleep(1000);
    assert.equal(patient.destroyed || patient.readableEnded, false);
    patient.destroy();
  });

  it('withstands a flood of connections that ask for nothing, and serves who asks', async () => {
    const flood = Array.from({ length: 30 }, () => open().resume());
    await until(() => flood.filter((one) => one.destroyed || one.readableEnded).length >= 20);
    const asks = open();
    asks.write('GET / HTTP/1.1\r\nHost: web.test\r\n\r\n');
    const [answer] = (await once(asks, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    for (const one of [...flood, asks]) one.destroy();
  });
});
