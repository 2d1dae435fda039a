import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { TunnelClient } from '@postern/kernel/tunnels';
import { needProgram } from '@postern/plugin-sdk/testing';
import { captureBuffers } from '../../kernel/test/tunnels/capture-buffers.js';
import { silentLog, untilClosed } from '../../kernel/test/tunnels/port-fixture.js';
import { ProxyChild } from '../../kernel/test/tunnels/proxy-child.js';
import { TestAuthority } from '../../kernel/test/tunnels/test-authority.js';
import { postgresPrograms } from '../../plugins/postgres/test/support/postgres-server.js';
import { testLogin } from '../../plugins/ssh/test/support/account.js';
import { until } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { DatabaseSite } from './support/database.js';
import { SshClient } from './support/ssh-client.js';
import { assertSshPackets, assertTlsRecords } from './support/wire-format.js';
import { Wiretap, type TappedConnection } from './support/wiretap.js';

/** Spelled so that what is asked and what is answered have nothing in common. */
const question = {
  sql: "select upper('the number of the account'), repeat('deep-sea ', 2)",
  text: 'number of the account',
};
const rows = 'THE NUMBER OF THE ACCOUNT|deep-sea deep-sea \n';
const command = "printf '%s-%s\\n' weather report | tr a-z A-Z";
const output = 'WEATHER-REPORT\n';
/** What only the two ends may know, besides what is said. */
const names = { user: 'hidden-user', role: 'hidden-role', database: 'hidden_ledger', password: 'pencil' };

/** No part of it is there, nor in another coding. */
function assertAbsent(seen: Buffer, secrets: readonly string[]): void {
  for (const secret of secrets) {
    for (let at = 0; at === 0 || at + 12 <= secret.length; at += 1)
      assert.equal(seen.indexOf(secret.slice(at, at + 12)), -1, `plaintext of ${JSON.stringify(secret)} was found`);
    assert.equal(seen.indexOf(Buffer.from(secret, 'utf16le')), -1);
    assert.equal(seen.indexOf(Buffer.from(secret).toString('base64').slice(0, 16).replace(/=+$/, '')), -1);
  }
}

const found = (seen: Buffer, secrets: readonly string[]): void => {
  for (const secret of secrets)
    assert.notEqual(seen.indexOf(secret), -1, `${JSON.stringify(secret)} would not be found`);
};

/** Runs something while every buffer of this process is kept: those of connections to the ports, and those of the ends behind it. */
async function capture(
  ports: readonly (number | undefined)[],
  run: () => Promise<void>,
): Promise<{ tunnel: Buffer; ends: Buffer }> {
  const kept = { tunnel: [] as Buffer[], ends: [] as Buffer[] };
  let into = kept.ends;
  const of = (socket: net.Socket): boolean => {
    // A socket that ends TLS shows what is inside it.
    into =
      !(socket instanceof tls.TLSSocket) && (ports.includes(socket.localPort) || ports.includes(socket.remotePort))
        ? kept.tunnel
        : kept.ends;
    return true;
  };
  const release = captureBuffers((data) => into.push(data), of);
  try {
    await run();
  } finally {
    release();
  }
  return { tunnel: Buffer.concat(kept.tunnel), ends: Buffer.concat(kept.ends) };
}

describe('what passes through the tunnel of a whole cluster', function () {
  this.timeout(60_000);
  let site: DatabaseSite;
  let ssh: SshClient;
  let login: string;
  let user: TestLogin;

  before(async function () {
    needProgram(this, 'psql', 'postgresql-client');
    needProgram(this, 'ssh', 'openssh-client');
    if (postgresPrograms === undefined) needProgram(this, 'initdb', 'postgresql');
    site = await DatabaseSite.start();
    const { cluster, database } = site;
    login = (await testLogin()).name;
    await database.sql(`create database ${names.database}`);
    await site.register('vault', { auth: { method: 'password', secret: names.password } });
    await cluster.put({ kind: 'ssh', name: 'box', spec: {} });
    const everywhere = { labels: { '*': '*' } };
    const allow = {
      postgres: { ...everywhere, users: ['*'], databases: ['*'] },
      ssh: { ...everywhere, logins: [login] },
    };
    await cluster.put({ kind: 'role', name: names.role, allow });
    await cluster.addUser(names.user, { roles: [names.role] });
    user = await cluster.login(names.user);
    ssh = await SshClient.create(cluster);
  });
  after(async () => {
    await (ssh as SshClient | undefined)?.[Symbol.asyncDispose]();
    await (site as DatabaseSite | undefined)?.[Symbol.asyncDispose]();
  });

  async function askDatabase(port: number): Promise<void> {
    const to = { resource: 'vault', user: 'scram', dbname: names.database, port };
    const { stdout, stderr } = await site.psql(user, question.sql, to);
    assert.equal(stdout, rows, stderr);
  }

  async function askNode(port: number): Promise<void> {
    const credential = { key: user.sshKey, certificate: user.sshCertificate };
    const { stdout, stderr } = await ssh.run(credential, { login, resource: 'box', port }, command);
    assert.equal(stdout, output, stderr);
  }

  const ofDatabase = [question.sql, question.text, rows.trim(), names.user, names.role, names.database, names.password];
  const ofNode = (): string[] => [command, output.trim(), names.user, names.role, login];

  it('is ciphertext of psql in every buffer, with proxy and agent in one process', async () => {
    const { port } = site.cluster;
    await using tap = await Wiretap.open(port);
    const { tunnel, ends } = await capture([port, tap.port], () => askDatabase(tap.port));
    found(tunnel, [site.cluster.hostname('postgres', 'vault')]);
    assertAbsent(tunnel, ofDatabase);
    found(ends, [question.sql, 'THE NUMBER OF THE ACCOUNT', names.database]);
    await assertTlsSession(tap);
  });

  it('is ciphertext of ssh in every buffer, with proxy and agent in one process', async () => {
    const { port } = site.cluster;
    await using tap = await Wiretap.open(port);
    const { tunnel, ends } = await capture([port, tap.port], () => askNode(tap.port));
    found(tunnel, [`POSTERN/1 ${site.cluster.hostname('ssh', 'box')}\n`, 'SSH-2.0-']);
    assertAbsent(tunnel, ofNode());
    found(ends, [output.trim()]);
    await assertSshSession(tap);
  });

  /** The one connection of psql: its request for TLS and the answer, and nothing but TLS. */
  async function assertTlsSession({ connections }: Wiretap): Promise<void> {
    assert.equal(connections.length, 1);
    const [sent, received] = await bothWays(connections[0]);
    assert.deepEqual(sent.subarray(0, 8), Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    assert.equal(received.toString('latin1', 0, 1), 'S');
    assert.ok(assertTlsRecords(sent.subarray(8)) >= 3);
    assert.ok(assertTlsRecords(received.subarray(1)) >= 3);
    assertAbsent(Buffer.concat([sent, received]), ofDatabase);
  }

  /** The one connection of ssh: where it wants to go, and nothing but SSH. */
  async function assertSshSession({ connections }: Wiretap): Promise<void> {
    assert.equal(connections.length, 1);
    const [sent, received] = await bothWays(connections[0]);
    const line = sent.indexOf('\n') + 1;
    assert.equal(sent.toString('latin1', 0, line), `POSTERN/1 ${site.cluster.hostname('ssh', 'box')}\n`);
    assert.equal(received.toString('latin1', 0, 3), 'ok\n');
    assert.ok(assertSshPackets(sent.subarray(line)).length > 500);
    assert.ok(assertSshPackets(received.subarray(3)).length > 200);
    assertAbsent(Buffer.concat([sent, received]), ofNode());
  }

  describe('with proxy and agent as two processes', () => {
    let proxy: ProxyChild;
    let dump: string;
    /** Between the agent and the proxy. */
    let link: Wiretap;
    let tunnel: TunnelClient;

    before(async () => {
      const { cluster } = site.cluster;
      const services = await TestAuthority.create('services');
      dump = join(site.home, 'dump');
      const halves = new URL('./support/proxy-halves.ts', import.meta.url).href;
      proxy = await ProxyChild.start({ cluster, tls: await services.issue('proxy', [cluster]), dump, halves });
      link = await Wiretap.open(proxy.port);
      const own = await services.issue('agent');
      tunnel = TunnelClient.start({
        proxy: { host: '127.0.0.1', port: link.port },
        cluster,
        tls: () => own,
        routes: [
          { kind: 'postgres', label: 'vault' },
          { kind: 'ssh', label: 'box' },
        ],
        take: (handover) => site.cluster.running.agent?.take(handover),
        log: silentLog,
      });
      await tunnel.ready();
    });
    after(async () => {
      await (tunnel as TunnelClient | undefined)?.[Symbol.asyncDispose]();
      await (link as Wiretap | undefined)?.[Symbol.asyncDispose]();
      await (proxy as ProxyChild | undefined)?.[Symbol.asyncDispose]();
    });

    /** The stream that the agent dialled back for, without its ticket, and that of the client. */
    async function dialledBack(): Promise<readonly [fromClient: Buffer, toClient: Buffer]> {
      await until(() => link.connections.length === 2);
      // The first one is the control connection, which lives as long as the agent does.
      const [toClient, fromClient] = await bothWays(link.connections.pop());
      assert.match(toClient.toString('latin1', 0, 48), /^POSTERN-TICKET [0-9a-f]{32}\n$/);
      return [fromClient, toClient.subarray(48)];
    }

    it('is ciphertext of psql in every buffer of the proxy, and nothing but TLS on the way to the agent', async () => {
      await using tap = await Wiretap.open(proxy.port);
      const { tunnel: seen, ends } = await capture([proxy.port, link.port], () => askDatabase(tap.port));
      const [fromClient, toClient] = await dialledBack();
      const dumped = await readFile(dump);
      found(dumped, [site.cluster.hostname('postgres', 'vault'), 'POSTERN-TICKET ']);
      for (const buffers of [seen, dumped, fromClient, toClient]) assertAbsent(buffers, ofDatabase);
      found(ends, [question.sql, 'THE NUMBER OF THE ACCOUNT', names.database]);
      await assertTlsSession(tap);
      assert.ok(assertTlsRecords(fromClient) >= 3);
      assert.ok(assertTlsRecords(toClient) >= 3);
    });

    it('is ciphertext of ssh in every buffer of the proxy, and nothing but SSH on the way to the agent', async () => {
      await using tap = await Wiretap.open(proxy.port);
      const { tunnel: seen, ends } = await capture([proxy.port, link.port], () => askNode(tap.port));
      const [fromClient, toClient] = await dialledBack();
      const dumped = await readFile(dump);
      found(dumped, [`POSTERN/1 ${site.cluster.hostname('ssh', 'box')}\n`, 'SSH-2.0-']);
      for (const buffers of [seen, dumped, fromClient, toClient]) assertAbsent(buffers, ofNode());
      found(ends, [output.trim()]);
      await assertSshSession(tap);
      assert.ok(assertSshPackets(fromClient).length > 500);
      assert.ok(assertSshPackets(toClient).length > 200);
    });

    it('would be found in the dump of the proxy where it is not encrypted', async () => {
      const stranger = net.connect(proxy.port, '127.0.0.1');
      stranger.on('error', () => {}).end(question.sql);
      await untilClosed(stranger);
      found(await readFile(dump), [question.sql]);
    });
  });
});

async function bothWays(connection: TappedConnection | undefined): Promise<readonly [sent: Buffer, received: Buffer]> {
  await connection?.closed;
  return [Buffer.concat(connection?.sent ?? []), Buffer.concat(connection?.received ?? [])];
}
