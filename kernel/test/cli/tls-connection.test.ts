import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { connectTls } from '../../src/cli/profile/tls-connection.js';

/** A fatal alert as a TLS record (RFC 8446, sections 5.1 and 6). */
const alert = (description: number): Buffer => Buffer.from([21, 3, 3, 0, 2, 2, description]);

async function answeredBy(data: Buffer): Promise<unknown> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(data));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const proxy = { host: '127.0.0.1', port };
    return await connectTls({ proxy, servername: 'one.kind.cluster.test', authorities: '' }).catch(
      (cause: unknown) => cause,
    );
  } finally {
    server.close();
  }
}

describe('a connection to a resource', () => {
  it('whose name leads nowhere says so, and what to do', async () => {
    const { code, message } = (await answeredBy(alert(112))) as { code: string; message: string };
    assert.deepEqual([code, message], ['not_found', 'nobody in the cluster serves one.kind.cluster.test; see: psh ls']);
  });

  it('that fails otherwise says that the cluster was not reached', async () => {
    const { message } = (await answeredBy(alert(80))) as { message: string };
    assert.match(message, /^cannot reach the cluster at 127\.0\.0\.1:/);
  });
});
