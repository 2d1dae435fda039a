import assert from 'node:assert/strict';
import { needProgram } from '@postern/plugin-sdk/testing';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { AgentTable, localDialer, TunnelClient, type Handover, type ServiceTls } from '../../src/tunnels/index.js';
import { captureBuffers } from './capture-buffers.js';
import { cluster, PortFixture, silentLog, untilClosed } from './port-fixture.js';
import { ProxyChild } from './proxy-child.js';
import { TestAuthority } from './test-authority.js';
import { fast } from './tunnel-fixture.js';

const program = 'openssl';
const name = `box.vault.${cluster}`;
const question = 'select the number of the account of the minister';
const answer = 'it is four, eight, fifteen, sixteen, twenty-three, forty-two';

/** The resource's end: mutual TLS, and an answer for the right question. */
class Resource {
  readonly heard: string[] = [];
  readonly #server: tls.Server;

  constructor(own: ServiceTls, clients: string) {
    const options = { cert: own.certificate, key: own.key, ca: clients, requestCert: true, rejectUnauthorized: true };
    this.#server = tls.createServer(options, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data: Buffer) => {
        this.heard.push(`${String(socket.getPeerCertificate().subject.CN)}: ${data.toString().trim()}`);
        socket.end(answer);
      });
    });
  }

  take({ socket }: Handover): void {
    this.#server.emit('connection', socket);
  }
}

interface Keys {
  readonly directory: string;
  readonly users: TestAuthority;
  readonly hosts: TestAuthority;
  readonly alice: ServiceTls;
  readonly box: ServiceTls;
}

async function keys(): Promise<Keys> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ciphertext-'));
  const [users, hosts] = [await TestAuthority.create('users'), await TestAuthority.create('hosts')];
  const [alice, box] = [await users.issue('alice'), await hosts.issue('box', [name])];
  fs.writeFileSync(path.join(directory, 'alice.crt'), alice.certificate);
  fs.writeFileSync(path.join(directory, 'alice.key'), alice.key, { mode: 0o600 });
  fs.writeFileSync(path.join(directory, 'hosts.crt'), hosts.pem);
  return { directory, users, hosts, alice, box };
}

/** Asks the question with a client of another process, and returns what it printed. */
async function askWithOpenssl(port: number, directory: string): Promise<string> {
  const file = (of: string): string => path.join(directory, of);
  const trust = ['-CAfile', file('hosts.crt'), '-verify_return_error', '-verify_hostname', name];
  const own = ['-cert', file('alice.crt'), '-key', file('alice.key')];
  const to = ['-connect', `127.0.0.1:${port}`, '-servername', name];
  const child = spawn(program, ['s_client', '-quiet', ...to, ...trust, ...own]);
  let printed = '';
  child.stdout.on('data', (text: Buffer) => (printed += text.toString()));
  child.stderr.resume();
  child.stdin.write(`${question}\n`);
  await once(child, 'close');
  return printed;
}

/** No part of what was said is there, nor what was said in another coding. */
function assertCiphertext(captured: Buffer): void {
  for (const secret of [question, answer]) {
    for (let at = 0; at + 12 <= secret.length; at += 1)
      assert.equal(captured.indexOf(secret.slice(at, at + 12)), -1, 'plaintext was found');
    assert.equal(captured.indexOf(Buffer.from(secret, 'utf16le')), -1);
    assert.equal(captured.indexOf(Buffer.from(secret).toString('base64').slice(0, 16)), -1);
  }
}

/** Encrypted records of TLS that are long enough to hold so many bytes. */
function recordsOf(captured: Buffer, length: number): number {
  let count = 0;
  for (
    let at = captured.indexOf('\x17\x03\x03', 0, 'latin1');
    at >= 0;
    at = captured.indexOf('\x17\x03\x03', at + 3, 'latin1')
  )
    if (at + 5 <= captured.length && captured.readUInt16BE(at + 3) >= length) count += 1;
  return count;
}

describe('what passes through the tunnel code', function () {
  this.timeout(30_000);
  let pki: Keys;
  before(async () => (pki = await keys()));
  after(() => fs.rmSync(pki.directory, { recursive: true }));

  it('is ciphertext in every buffer, with proxy and agent in one process', async function () {
    needProgram(this, program, program);
    const resource = new Resource(pki.box, pki.users.pem);
    const agents = new AgentTable();
    agents.add(
      localDialer((handover) => resource.take(handover)),
      [{ kind: 'vault', label: 'box' }],
    );
    await using fixture = await PortFixture.open({ agents });
    const seen: Buffer[] = [];
    const { port } = fixture.port.address;
    // Not the pipes of the client's process, and not the agent's end, which shows what is inside its TLS.
    const release = captureBuffers(
      (data) => seen.push(data),
      (socket) => !(socket instanceof tls.TLSSocket) && socket.localPort === port,
    );
    try {
      assert.equal(await askWithOpenssl(port, pki.directory), answer);
      assert.deepEqual(resource.heard, [`alice: ${question}`]);
      assert.notEqual(Buffer.concat(seen).indexOf(name), -1, 'the hello was not captured');
      assertCiphertext(Buffer.concat(seen));
      while (fixture.port.connections.size > 0) await new Promise((resolve) => setImmediate(resolve));
      await fixture.answerTo(question);
    } finally {
      release();
    }
    assert.notEqual(Buffer.concat(seen).indexOf(question), -1, 'what is not encrypted would not be found');
  });

  it('is ciphertext in every buffer of the proxy’s process, with the agent in another one', async function () {
    needProgram(this, program, program);
    const resource = new Resource(pki.box, pki.users.pem);
    const services = await TestAuthority.create('services');
    const dump = path.join(pki.directory, 'dump');
    await using proxy = await ProxyChild.start({ cluster, tls: await services.issue('proxy', [cluster]), dump });
    const agent = await services.issue('agent');
    await using client = TunnelClient.start({
      proxy: { host: '127.0.0.1', port: proxy.port },
      cluster,
      tls: () => agent,
      routes: [{ kind: 'vault', label: 'box' }],
      take: (handover) => resource.take(handover),
      log: silentLog,
      ...fast,
    });
    await client.ready();
    assert.equal(await askWithOpenssl(proxy.port, pki.directory), answer);
    assert.deepEqual(resource.heard, [`alice: ${question}`]);
    const captured = fs.readFileSync(dump);
    // The whole session went through: the hello, and both sentences, each of them read and written.
    assert.notEqual(captured.indexOf(name), -1, 'the hello was not captured');
    assert.notEqual(captured.indexOf('POSTERN-TICKET '), -1, 'the dial-back was not captured');
    assert.ok(recordsOf(captured, question.length) >= 4, 'the session was not captured');
    assertCiphertext(captured);
    const stranger = net.connect(proxy.port, '127.0.0.1');
    stranger.on('error', () => {}).end(question);
    await untilClosed(stranger);
    assert.notEqual(fs.readFileSync(dump).indexOf(question), -1, 'what is not encrypted would not be found');
  });
});
