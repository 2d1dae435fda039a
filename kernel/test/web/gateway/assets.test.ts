import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { pathToFileURL } from 'node:url';
import { TlsListener } from '../../../src/api/http-listener.js';
import { AssetFiles } from '../../../src/web/gateway/asset-files.js';
import { PluginPages } from '../../../src/web/gateway/plugin-pages.js';
import type { WebSessions } from '../../../src/web/sessions/index.js';
import { TestAuthority } from '../../tunnels/test-authority.js';
import { assetDirectory, pagesPlugin } from './page-protocol.js';

const path = '/web/pages/assets/large.wasm';

describe('files of plugins, for strangers', function () {
  this.timeout(60_000);
  const directory = assetDirectory();
  const content = randomBytes(4_500_000);
  let listener: TlsListener;
  let server: net.Server;
  before(async () => {
    await writeFile(join(directory, 'large.wasm'), content);
    const { certificate, key } = await (await TestAuthority.create('files')).issue('cluster.test', ['cluster.test']);
    const pages = new PluginPages({
      cluster: 'cluster.test',
      sessions: {} as WebSessions,
      plugins: [pagesPlugin(directory)],
      strictTransport: true,
    });
    const fetch = async (request: Request): Promise<Response> =>
      (await pages.fetch(request, '192.0.2.1')) ?? new Response(null, { status: 404 });
    listener = new TlsListener({ certificate, key, minVersion: 'TLSv1.2', fetch });
    server = net.createServer((socket) => listener.accept(socket, '192.0.2.1')).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    await listener[Symbol.asyncDispose]();
    server.close();
    await rm(directory, { recursive: true });
  });

  const connect = (settings: http2.Settings = {}): http2.ClientHttp2Session => {
    const { port } = server.address() as net.AddressInfo;
    const createConnection = (): tls.TLSSocket =>
      tls.connect({
        port,
        host: '127.0.0.1',
        servername: 'cluster.test',
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
      });
    return http2.connect('https://cluster.test', { createConnection, settings }).on('error', () => {});
  };

  it('withstand a hundred streams that ask for a large one and take nothing of it', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const client = connect({ initialWindowSize: 0 });
    const streams = Array.from({ length: 100 }, () => client.request({ ':path': path }).on('error', () => {}));
    await Promise.all(streams.map((stream) => once(stream, 'response')));
    const kept = process.memoryUsage().arrayBuffers - before;
    assert.ok(kept < 32_000_000, `${kept} bytes are kept`);
    client.destroy();
  });

  it('arrive whole, and HEAD says how long they are', async () => {
    const client = connect();
    const stream = client.request({ ':path': path });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    assert.ok(Buffer.concat(chunks).equals(content));
    const head = client.request({ ':path': path, ':method': 'HEAD' }).resume();
    const [fields] = (await once(head, 'response')) as [http2.IncomingHttpHeaders];
    assert.deepEqual([fields[':status'], fields['content-length']], [200, String(content.length)]);
    client.destroy();
  });

  it('are read once, and again when they have changed', async () => {
    const files = new AssetFiles(pathToFileURL(`${directory}/`));
    await writeFile(join(directory, 'a.js'), 'one');
    const found = await Promise.all([files.find('a.js'), files.find('a.js')]);
    assert.equal(found[0], found[1]);
    assert.equal(await files.find('a.js'), found[0]);
    await writeFile(join(directory, 'a.js'), 'another');
    assert.equal((await files.find('a.js'))?.body.toString(), 'another');
  });
});
