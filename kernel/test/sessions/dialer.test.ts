import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { PosternError, type ErrorCode } from '@postern/plugin-sdk';
import { configuration } from '../../src/configuration/schema.js';
import { ResourceDialer, type DialerOptions } from '../../src/sessions/dialer.js';

const { allow_addresses: allow, deny_addresses: deny } = configuration.parse({}).agent.accept;

const dialer = (options: Partial<DialerOptions> = {}): ResourceDialer =>
  new ResourceDialer({ allow, deny, timeoutMs: 500, ...options });

const codeIs =
  (code: ErrorCode) =>
  (cause: unknown): boolean =>
    PosternError.is(cause) && cause.code === code;

describe('a dialer of resources', () => {
  let server: net.Server;
  let port: number;
  const peers: (string | undefined)[] = [];

  beforeEach(async () => {
    server = net.createServer((socket) => {
      peers.push(socket.remoteAddress);
      socket.on('error', () => {}).destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as net.AddressInfo);
    peers.length = 0;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const metadata = [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '169.254.43518',
    'fe80::1',
    'FE80::1',
    'fe80::1%lo',
    'fd00:ec2::254',
  ];
  for (const host of metadata)
    it(`does not lead to where a cloud hands out secrets, written as ${host}`, async () => {
      await assert.rejects(dialer().dial({ host, port: 80 }), (cause) => {
        // A machine without such notations does not resolve them, which is as good.
        return codeIs('access_denied')(cause) || /does not resolve/.test((cause as Error).message);
      });
    });

  for (const host of ['0.0.0.0', '0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0'])
    it(`does not reach this machine by ${host} where 127.0.0.0/8 is denied`, async () => {
      const guarded = dialer({ deny: ['127.0.0.0/8', '::1'] });
      await assert.rejects(guarded.dial({ host, port }), codeIs('access_denied'));
      assert.deepEqual(peers, []);
    });

  it('dials the address that it has checked, though the name means another one a moment later', async () => {
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    let asked = 0;
    const rebinding = dialer({ resolve: async () => answers[asked++] ?? [] });
    (await rebinding.dial({ host: 'rebinding.test', port })).destroy();
    assert.equal(asked, 1);
    await assert.rejects(rebinding.dial({ host: 'rebinding.test', port }), codeIs('access_denied'));
  });

  it('passes over the addresses of a name that it may not dial', async () => {
    const mixed = dialer({ resolve: async () => ['169.254.169.254', '127.0.0.1'] });
    (await mixed.dial({ host: 'mixed.test', port })).destroy();
    await assert.rejects(
      dialer({ resolve: async () => ['169.254.169.254', 'fe80::1'] }).dial({ host: 'bad.test', port }),
      codeIs('access_denied'),
    );
  });

  it('tries the next address where one does not answer', async () => {
    const two = dialer({ resolve: async () => ['127.0.0.2', '127.0.0.1'] });
    (await two.dial({ host: 'two.test', port })).destroy();
  });

  it('dials what is allowed and nothing else', async () => {
    const narrow = dialer({ allow: ['127.0.0.1'] });
    (await narrow.dial({ host: '127.0.0.1', port })).destroy();
    (await narrow.dial({ host: '::ffff:127.0.0.1', port })).destroy();
    await assert.rejects(narrow.dial({ host: '127.0.0.2', port }), codeIs('access_denied'));
    await assert.rejects(dialer({ allow: [] }).dial({ host: '127.0.0.1', port }), codeIs('access_denied'));
  });

  it('tells operators the address, and clients nothing of it', async () => {
    const settled = await dialer()
      .dial({ host: '169.254.169.254', port })
      .catch((cause: unknown) => PosternError.from(cause));
    assert.ok(PosternError.is(settled));
    assert.match(settled.message, /169\.254\.169\.254/);
    assert.doesNotMatch(settled.publicMessage, /169/);
  });

  it('says that nobody answers, and that a name does not resolve', async () => {
    const { port: closed } = await freePort();
    await assert.rejects(dialer().dial({ host: '127.0.0.1', port: closed }), codeIs('upstream_unreachable'));
    await assert.rejects(dialer().dial({ host: 'no-such-name.invalid', port }), codeIs('upstream_unreachable'));
    await assert.rejects(
      dialer({ resolve: async () => [] }).dial({ host: 'empty.test', port }),
      codeIs('access_denied'),
    );
  });

  it('refuses blocks that are none, at the start', () => {
    for (const block of ['10.0.0.0/33', '10.0.0/8', 'everything', '::/129', '10.0.0.0/8/8'])
      assert.throws(() => dialer({ allow: [block] }), codeIs('invalid_config'), block);
  });
});

/** A port of the loopback interface on which nobody listens. */
async function freePort(): Promise<{ readonly port: number }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { port };
}
