import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { HeaderFields } from '@postern/plugin-sdk/http1';
import { dialTcp } from '@postern/plugin-sdk/testing';
import { Forwarder } from '../src/forwarder.js';
import { UpstreamConnections } from '../src/upstream-connections.js';
import { Application } from './support/application.js';
import { memoryInUse } from './support/memory.js';
import { eventually } from './support/stand.js';

const rounds = process.env['POSTERN_TEST_FULL'] === '1' ? 5000 : 120;
const atOnce = 20;

/** What is left when everything that was begun has had its turn. */
async function heap(): Promise<number> {
  for (let times = 0; times < 3; times += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    memoryInUse();
  }
  return memoryInUse().heapUsed;
}

/** No session stands around these: nothing but the forwarder itself ends what it has begun. */
describe('requests that http-proxy has begun, and whose clients go away,', () => {
  let application: Application;
  let front: http.Server;
  let connections: UpstreamConnections;
  /** How many calls of `forward` have not come to an end. */
  let running = 0;

  before(async () => {
    application = await Application.start();
    connections = new UpstreamConnections(async () => (await dialTcp(application.spec)).on('error', () => {}));
    const forwarder = new Forwarder({
      connections,
      responseMs: 60_000,
      places: { hosts: [], prefix: undefined },
    });
    front = http.createServer((request, response) => {
      response.on('error', () => {});
      const fields = HeaderFields.of({ Host: 'application' });
      const length = request.headers['content-length'];
      const body = length === undefined ? 'none' : 'length';
      const bodyLength = length === undefined ? undefined : Number(length);
      const passing = { request, response, path: request.url ?? '', fields, body, bodyLength, close: false } as const;
      running += 1;
      forwarder.forward(passing).then(
        () => (running -= 1),
        () => (running -= 1),
      );
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
  });
  after(async () => {
    connections.destroy();
    front.close();
    front.closeAllConnections();
    await application[Symbol.asyncDispose]();
  });

  // What is idle is not left over, but no other test may find it.
  afterEach(async () => {
    for (const socket of application.sockets) socket.destroy();
    await eventually(() => application.sockets.size === 0);
  });

  let count = 0;

  /** Sends a request, waits until the application has it, and breaks the connection. */
  async function abort(line: string, rest: string, wait?: (client: Socket) => Promise<unknown>): Promise<void> {
    const { port } = front.address() as AddressInfo;
    const client = net.connect(port, '127.0.0.1').on('error', () => {});
    const mark = `?${(count += 1)}`;
    client.write(`${line}${mark} HTTP/1.1\r\nHost: x\r\n${rest}`);
    await (wait ? wait(client) : eventually(() => application.seen.some(({ url }) => url.endsWith(mark))));
    client.resetAndDestroy();
  }

  const answered = (client: Socket): Promise<unknown> => once(client, 'data');
  const kinds: readonly (readonly [string, string, string, ((client: Socket) => Promise<unknown>)?])[] = [
    ['in the middle of a response', 'GET /endless', '\r\n', answered],
    ['before a response', 'GET /silent', '\r\n'],
    ['in the middle of a body', 'POST /slow-body', 'Content-Length: 100\r\n\r\nabc'],
  ];
  for (const [when, line, rest, wait] of kinds)
    it(`are ended ${when}, with connections and memory, ${rounds} times`, async function () {
      this.timeout(rounds > 1000 ? 600_000 : 90_000);
      const batch = async (): Promise<void> => {
        for (let round = 0; round < rounds / 2; round += atOnce)
          await Promise.all(Array.from({ length: atOnce }, () => abort(line, rest, wait)));
        await eventually(() => application.streaming.size === 0 && running === 0);
        application.seen.splice(0);
      };
      await batch();
      const before = await heap();
      await batch();
      const grown = (await heap()) - before;
      // One may be idle: a request may have been over before its client was gone.
      await eventually(() => application.sockets.size <= 1);
      assert.ok(grown < (rounds / 2) * 4000, `${grown} bytes more after ${rounds / 2} requests`);
    });

  it('attack: a client that goes away while the connection to the application is made', async function () {
    this.timeout(30_000);
    const { port } = front.address() as AddressInfo;
    for (let round = 0; round < 50; round += 1) {
      const client = net.connect(port, '127.0.0.1').on('error', () => {});
      await once(client, 'connect');
      client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n');
      setImmediate(() => client.resetAndDestroy());
      await once(client, 'close');
    }
    await eventually(() => running === 0 && application.streaming.size === 0 && application.sockets.size <= 1);
  });
});
