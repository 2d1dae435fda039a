import assert from 'node:assert/strict';
import { once } from 'node:events';
import tls from 'node:tls';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import { startLines } from '../cluster/line-world.js';

/** How HTTP/2 begins (RFC 9113, section 3.4): the words of a client, and an empty SETTINGS frame. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

describe('a client that hangs up without a word', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines();
  });
  after(() => cluster[Symbol.asyncDispose]());

  for (const [what, hostname, alpn, sent] of [
    ['the Auth Service by HTTP/2', 'auth.cluster.test', 'h2', preface],
    ['the proxy by HTTP/2', 'cluster.test', 'h2', preface],
    [
      'the proxy by HTTP/1.1',
      'cluster.test',
      'http/1.1',
      Buffer.from('GET /v1/cluster HTTP/1.1\r\nHost: cluster.test\r\n\r\n'),
    ],
  ] as const)
    it(`leaves no connection behind at ${what}`, async () => {
      const before = sockets();
      for (let round = 0; round < 5; round += 1) {
        const socket = await cluster.open();
        const stream = tls.connect({ socket, servername: hostname, ca: cluster.authorities, ALPNProtocols: [alpn] });
        await once(stream, 'secureConnect');
        assert.equal(stream.alpnProtocol, alpn);
        stream.write(sent);
        await once(stream, 'data');
        // Not `close_notify` and not GOAWAY: the end of the bytes, as that of a process that is killed.
        socket.end();
        await until(() => sockets() <= before);
        stream.destroy();
      }
    });
});
