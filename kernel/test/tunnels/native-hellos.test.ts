import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { needProgram } from '@postern/plugin-sdk/testing';
import { ClientHelloReader } from '../../src/tunnels/index.js';
import { captureHello, type Captured, type CaptureOptions } from './capture-hello.js';

interface NativeClient extends CaptureOptions {
  readonly program: string;
  readonly debian: string;
  readonly sni: string | undefined;
  readonly alpn: readonly string[];
}

const name = 'db.kind.example.com';
const sslRequest = Buffer.from('0000000804d2162f', 'hex');
let scratch = '';

const clients: readonly NativeClient[] = [
  {
    program: 'openssl',
    debian: 'openssl',
    args: (port) => ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, '-alpn', 'h2,acme'],
    sni: name,
    alpn: ['h2', 'acme'],
  },
  {
    program: 'openssl',
    debian: 'openssl',
    args: (port) => ['s_client', '-connect', `127.0.0.1:${port}`, '-noservername', '-tls1_2'],
    sni: undefined,
    alpn: [],
  },
  {
    program: 'curl',
    debian: 'curl',
    args: (port) => ['-s', '--connect-to', `${name}:443:127.0.0.1:${port}`, `https://${name}/`],
    sni: name,
    alpn: ['h2', 'http/1.1'],
  },
  {
    program: 'psql',
    debian: 'postgresql-client-15',
    args: (port) => [
      '-w',
      `host=${name} hostaddr=127.0.0.1 port=${port} sslmode=require gssencmode=disable user=a dbname=a`,
    ],
    before: (head, socket) => {
      if (head.length < sslRequest.length) return 0;
      assert.deepEqual(head, sslRequest);
      socket.write('S');
      return sslRequest.length;
    },
    sni: name,
    alpn: [],
  },
  {
    program: 'kubectl',
    debian: 'kubernetes-client',
    args: (port) => [
      `--server=https://127.0.0.1:${port}`,
      `--tls-server-name=${name}`,
      '--request-timeout=2s',
      'version',
    ],
    get env() {
      return { HOME: scratch, KUBECONFIG: '/dev/null' };
    },
    sni: name,
    alpn: ['h2', 'http/1.1'],
  },
];

describe('ClientHelloReader, with real clients', function () {
  this.timeout(30_000);
  before(() => (scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hello-'))));
  after(() => fs.rmSync(scratch, { recursive: true }));

  for (const client of clients)
    it(`reads the hello of ${client.program}${client.sni ? '' : ' without a name'}, cut at every offset`, async function () {
      needProgram(this, client.program, client.debian);
      const captured = await captureHello(client.program, client);
      const { hello } = captured;
      assert.equal(hello.kind, 'hello');
      assert.equal(hello.sni, client.sni);
      assert.deepEqual(hello.alpn, client.alpn);
      assert.ok(hello.versions.includes(0x0303) || hello.versions.includes(0x0304));
      cutEverywhere(captured);
    });
});

function cutEverywhere({ bytes, hello }: Captured): void {
  const reader = new ClientHelloReader();
  for (let at = 0; at < bytes.length; at += 1) {
    assert.deepEqual(reader.read(bytes.subarray(0, at)), { kind: 'more' });
    assert.deepEqual(new ClientHelloReader().read(bytes.subarray(0, at)), { kind: 'more' });
  }
  assert.deepEqual(reader.read(bytes), hello);
}
