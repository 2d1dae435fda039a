import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { memoryInUse } from './support/memory.js';
import { eventually, open } from './support/stand.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';
const bytes = (full ? 1000 : 40) * 1_000_000;
const block = Buffer.alloc(65_536, 'x');

describe('bodies that are long', () => {
  let server: http.Server;
  const sockets = new Set<Socket>();
  let received = 0;
  let sent = 0;
  /** Every number of a request is an event that the test asks for. */
  let events: ServerResponse | undefined;

  const pour = (response: ServerResponse, chunked: boolean): void => {
    response.writeHead(200, chunked ? {} : { 'Content-Length': bytes });
    let left = bytes;
    const more = (): void => {
      while (left > 0 && !response.destroyed) {
        const piece = block.subarray(0, left);
        left -= piece.length;
        sent += piece.length;
        if (!response.write(piece)) return;
      }
      response.end();
    };
    response.on('drain', more).on('error', () => {});
    more();
  };
  before(async () => {
    server = http.createServer((request: IncomingMessage, response) => {
      request.on('data', (chunk: Buffer) => (received += chunk.length)).on('error', () => {});
      if (request.url === '/length') return pour(response, false);
      if (request.url === '/chunks') return pour(response, true);
      if (request.url === '/events') {
        events = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        return void events.flushHeaders();
      }
      if (request.url === '/slow') return void request.pause();
      request.on('end', () => response.end('taken'));
    });
    server.on('connection', (socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.once('close', () => sockets.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  beforeEach(() => void ([received, sent] = [0, 0]));
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await eventually(() => sockets.size === 0);
  });

  const spec = () => ({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

  /** Runs work and tells by how much the buffers in use ever exceeded what they were before. */
  async function watched(work: () => Promise<void>): Promise<number> {
    const before = memoryInUse().arrayBuffers;
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, memoryInUse().arrayBuffers - before)), 1000);
    await work().finally(() => clearInterval(timer));
    return most;
  }

  /** A tenth of the body; short bodies say nothing, since the collector takes its time. */
  const assertFlat = (most: number): void =>
    assert.ok(!full || most < bytes / 10, `${most} bytes of buffers for ${bytes} of content`);

  for (const path of ['/length', '/chunks'])
    it(`are passed on as they come: ${path}, ${bytes / 1_000_000} MB`, async function () {
      this.timeout(full ? 300_000 : 60_000);
      const held = await open(spec());
      held.client.removeAllListeners('data');
      let got = 0;
      const most = await watched(async () => {
        held.client.on('data', (chunk: Buffer) => (got += chunk.length)).write(get(path));
        while (got < bytes) await new Promise((resolve) => setTimeout(resolve, 5));
      });
      await held.leave();
      assertFlat(most);
    });

  it(`are taken as they come: ${bytes / 1_000_000} MB`, async function () {
    this.timeout(full ? 300_000 : 60_000);
    const held = await open(spec());
    const most = await watched(async () => {
      held.client.write(`PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
      for (let left = bytes; left > 0; left -= block.length)
        if (!held.client.write(block.subarray(0, left))) {
          await once(held.client, 'drain');
          // The double remembers what it was sent.
          for (const one of held.host.dialled) one.sent.length = 0;
        }
      await held.until(/taken/);
    });
    await held.leave();
    assert.equal(received, bytes);
    assertFlat(most);
  });

  it('wait for a client that does not read', async function () {
    this.timeout(30_000);
    const held = await open(spec());
    held.client.removeAllListeners('data');
    held.client.pause();
    held.client.write(get('/chunks'));
    const settled = async (): Promise<number> => {
      for (let before = -1; before !== sent || sent === 0; await new Promise((resolve) => setTimeout(resolve, 300)))
        before = sent;
      return sent;
    };
    // What the sockets of the machine hold, and no more.
    assert.ok((await settled()) < 20_000_000, `${sent} bytes were sent to a client that reads nothing`);
    held.client.destroy();
    await held.session.done;
  });

  it('wait for an application that does not read', async function () {
    this.timeout(30_000);
    const held = await open(spec(), { config: { response_timeout_seconds: 2 } });
    held.client.write(`PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
    let written = 0;
    const taken = (): Promise<boolean> =>
      Promise.race([
        once(held.client, 'drain').then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1000)),
      ]);
    for (let goes = true; goes && written < bytes; written += block.length)
      goes = held.client.write(block) || (await taken());
    assert.ok(written < 30_000_000, `${written} bytes were taken for an application that reads nothing`);
    await held.until(/^HTTP\/1\.1 504 /);
    held.client.destroy();
    await held.session.done;
  });

  it('events come one by one, each as soon as it was sent', async function () {
    this.timeout(20_000);
    const held = await open(spec());
    held.client.write(get('/events'));
    await held.until(/text\/event-stream[^]*\r\n\r\n/);
    for (const n of [1, 2, 3]) {
      events?.write(`data: ${n}\n\n`);
      await held.until(new RegExp(`data: ${n}\n\n`));
    }
    held.host.cut({ code: 'locked', message: 'on leave' });
    await held.session.done;
    assert.ok(!held.got.text.includes('0\r\n\r\n'), 'a stream that was cut has no proper end');
    held.client.destroy();
  });
});
