import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../../test/support/cluster.js';
import { BrowserPort } from '../../../src/web/gateway/browser-port.js';
import { contextOf } from '../../../src/web/gateway/web-certificate.js';
import { TestAuthority } from '../../tunnels/test-authority.js';

describe('a port for browsers', () => {
  let port: BrowserPort;
  let server: net.Server;
  let requests = 0;
  before(async () => {
    const made = await (await TestAuthority.create('browsers')).issue('web.test', ['web.test']);
    const context = contextOf(made);
    port = new BrowserPort({
      context: () => context,
      matches: (name, host) => name === host,
      limits: { headMs: 300, handshakeMs: 300 },
      request: (_, response) => {
        requests += 1;
        response.end('ok');
      },
      upgrade: ({ socket }) => void socket.destroy(),
    });
    server = net
      .createServer((socket) =>
        port.accept(
          socket.on('error', () => {}),
          '192.0.2.1',
        ),
      )
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
  const open = (): tls.TLSSocket =>
    tls.connect({ socket: dial(), servername: 'web.test', rejectUnauthorized: false }).on('error', () => {});

  it('withstands slowloris: a head that comes a byte at a time', async () => {
    const slow = open();
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: web.test\r\nX: ${'a'.repeat(20_000)}`);
    for (let at = 0; at < bytes.length && !slow.destroyed; at += 1) {
      slow.write(bytes.subarray(at, at + 1));
      await sleep(5);
    }
    assert.ok(slow.destroyed);
    assert.equal(requests, 0);
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
});
