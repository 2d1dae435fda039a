import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { FrameReader, type AnyProtocol } from '@postern/plugin-sdk';
import { listResources } from '@postern/kernel/api/contract';
import { openForward } from '../../kernel/src/cli/psh/forward.js';
import { Profile } from '../../kernel/src/cli/profile/profile.js';
import { standardPlugins } from '../../config/src/standard.js';
import { TestCluster } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { renamed } from './fake-halves.js';

/** In the words of one protocol: a resource, what a role allows there, and an ask that it allows and one that it does not. */
interface Words {
  readonly spec: unknown;
  readonly access: Readonly<Record<string, unknown>>;
  readonly allowed: unknown;
  readonly denied: unknown;
}

const host = '127.0.0.1';
const none = { method: 'none' };
const words: Readonly<Record<string, Words>> = {
  ssh: { spec: {}, access: { logins: ['app'] }, allowed: { login: 'app' }, denied: { login: 'root' } },
  postgres: {
    spec: { host, auth: { method: 'trust' } },
    access: { users: ['app'], databases: ['shop'] },
    allowed: { user: 'app', database: 'shop' },
    denied: { user: 'app', database: 'other' },
  },
  mysql: {
    spec: { host, auth: { method: 'password', secret: 'x' } },
    access: { users: ['app'], databases: ['shop'] },
    allowed: { user: 'app' },
    denied: { user: 'root' },
  },
  redis: {
    spec: { host, auth: none },
    access: { users: ['app'], commands: ['@read'] },
    allowed: { user: 'app' },
    denied: { user: 'app', command: 'set', class: 'write' },
  },
  mongodb: {
    spec: { host, auth: none },
    access: { users: ['app'], databases: ['shop'], commands: ['@read'] },
    allowed: { user: 'app' },
    denied: { user: 'root' },
  },
  kubernetes: {
    spec: { host, auth: { method: 'token', secret: 'x' } },
    access: { users: ['app'], namespaces: ['shop'], verbs: ['get'], resources: ['pods'] },
    allowed: { user: 'app' },
    denied: { user: 'app', verb: 'delete', resource: 'pods', namespace: 'shop' },
  },
  https: {
    spec: { host },
    access: { methods: ['GET'], paths: ['/shop'] },
    allowed: { method: 'GET', path: '/shop' },
    denied: { method: 'POST', path: '/shop' },
  },
  rdp: {
    spec: { host, accounts: [{ login: 'app', secret: 'x' }] },
    access: { logins: ['app'] },
    allowed: { login: 'app' },
    denied: { login: 'root' },
  },
};

describe('a cluster whose plugins have other names', function () {
  this.timeout(60_000);
  const kinds = standardPlugins.map((plugin, index) => {
    const id = `p${index + 1}`;
    const own = words[plugin.protocol.id];
    if (!own) throw new Error(`this test has no words for ${plugin.protocol.id}`);
    return { id, was: plugin.protocol.id, plugin: renamed(plugin, id), ...own };
  });
  let cluster: TestCluster;
  let ann: TestLogin;
  let directory: string;
  const greeted = kinds.filter(({ plugin }) => 'proxy' in plugin).map(({ id }) => id);

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-renamed-'));
    cluster = await TestCluster.start({
      plugins: kinds.map(({ plugin }) => plugin),
      configuration: {
        proxy: { ports: greeted.map((kind) => ({ listen: '127.0.0.1:0', kind, resource: 'one' })) },
      },
      resources: kinds.flatMap(({ id, spec }) => [
        { kind: id, name: 'one', labels: { env: 'test' }, spec },
        { kind: id, name: 'two', labels: { env: 'prod' }, spec },
      ]),
      roles: [
        {
          name: 'tester',
          allow: Object.fromEntries(kinds.map(({ id, access }) => [id, { labels: { env: 'test' }, ...access }])),
        },
      ],
      users: { ann: { roles: ['tester'] } },
    });
    ann = await cluster.login('ann');
  });
  after(async () => {
    await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('lists every kind under its new name, and only what the role’s labels select', async () => {
    await using api = cluster.api(ann);
    const listed = await api.call(listResources, {});
    assert.deepEqual(
      listed.map(({ kind, name }) => `${kind}/${name}`).sort(),
      kinds.map(({ id }) => `${id}/one`).sort(),
    );
    for (const { kind, hostname } of listed) assert.equal(hostname, `one.${kind}.cluster.test`);
  });

  /** Asks on an open stream, one line each, and resolves with the answers. */
  async function converse(stream: Duplex, ...asks: readonly unknown[]): Promise<readonly (string | undefined)[]> {
    stream.on('error', () => {});
    const reader = new FrameReader(stream, 4096);
    const certificate = ann.sshCertificate.split(' ')[1];
    const answers: (string | undefined)[] = [];
    for (const [index, ask] of asks.entries()) {
      stream.write(`${JSON.stringify(index === 0 ? first(ask, stream, certificate) : ask)}\n`);
      answers.push(await reader.line());
    }
    stream.destroy();
    return answers;
  }

  /** Where the connection has no TLS of ours, the certificate comes inside of it. */
  const raw = new WeakSet<Duplex>();
  const first = (ask: unknown, stream: Duplex, certificate: string | undefined) =>
    raw.has(stream) ? { ask, certificate } : { ask };

  const alpnOf = ({ transport }: AnyProtocol): readonly string[] =>
    transport.kind === 'tls' ? (transport.alpn?.slice(0, 1) ?? []) : [];

  async function reach(kind: string, name: string, { transport }: AnyProtocol): Promise<Duplex> {
    if (transport.kind === 'tls') {
      const alpn = transport.alpn?.slice(0, 1);
      return cluster.connect(kind, name, ann, { ...(alpn && { alpn }) });
    }
    const socket = await cluster.route(kind, name);
    raw.add(socket);
    return socket;
  }

  async function secured(socket: net.Socket, name: string | undefined, alpn: readonly string[]): Promise<Duplex> {
    const stream = tls.connect({
      socket,
      ca: cluster.authorities,
      cert: ann.certificate,
      key: ann.key,
      ...(name === undefined ? { checkServerIdentity: () => undefined } : { servername: name }),
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    });
    await once(stream, 'secureConnect');
    return stream;
  }

  /** Reads what the other side says before TLS, and nothing behind it. */
  async function said(socket: net.Socket, expected: string): Promise<void> {
    socket.on('error', () => {});
    const reader = new FrameReader(socket, 64);
    assert.equal((await reader.bytes(expected.length)).toString(), expected);
    assert.equal(reader.release().length, 0);
  }

  /** What a login leaves on the user's machine. */
  async function written(): Promise<Profile> {
    const { certificate, key } = ann;
    const data = { version: 1, cluster: cluster.cluster, user: 'ann', proxy: { host, port: cluster.port } } as const;
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const profile = new Profile({ ...data, expires, roles: [], additions: [] }, directory);
    await mkdir(profile.directory, { recursive: true });
    const files = { certificate, key, authority: cluster.authorities };
    for (const [name, text] of Object.entries(files))
      await writeFile(profile.files[name as keyof typeof files], text, { mode: 0o600 });
    return profile;
  }

  for (const { id, was, plugin, allowed, denied } of kinds)
    describe(`${id}, once ${was}`, () => {
      const { protocol } = plugin;
      const agreed = alpnOf(protocol)[0] ?? '-';

      it('admits by the role, and decides each further ask', async () => {
        const answers = await converse(await reach(id, 'one', protocol), allowed, allowed, denied);
        assert.deepEqual(answers, [`ok one ${agreed} ann`, 'ok', 'no access_denied']);
        await cluster.event({ types: ['session.denied'], resource: { kind: id, name: 'one' } });
      });

      it('refuses what the labels do not select, and says so in the audit log', async () => {
        const [answer] = await converse(await reach(id, 'two', protocol), allowed);
        assert.match(answer ?? '', /^no access_denied /);
        await cluster.event({ types: ['session.denied'], resource: { kind: id, name: 'two' } });
      });

      if ('proxy' in plugin && protocol.transport.kind === 'tls') {
        it('comes by a preamble of its own at the public port', async () => {
          const socket = await cluster.open();
          socket.write(`${id}\n`);
          await said(socket, 'T');
          const stream = await secured(socket, cluster.hostname(id, 'one'), alpnOf(protocol));
          assert.deepEqual(await converse(stream, allowed), [`ok one ${agreed} ann`]);
        });

        it('is greeted at a port of its own, and needs no name there', async () => {
          const which = greeted.indexOf(id);
          const socket = net.connect({ host, port: cluster.running.dedicatedPorts[which]?.address.port ?? 0 });
          // A balancer's header, which the port waits for from here.
          socket.write('PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\n');
          await said(socket, 'hello\n');
          socket.write(`${id}\n`);
          const stream = await secured(socket, undefined, []);
          assert.deepEqual(await converse(stream, allowed), ['ok one - ann']);
        });
      }

      if (protocol.transport.kind === 'tls' && protocol.transport.forward !== undefined)
        it('is reached through a socket of the user’s program', async () => {
          const profile = await written();
          const target = { kind: id, name: 'one', transport: protocol.transport };
          const at = { socket: join(directory, id) };
          await using forward = await openForward(target, { profile, hostname: cluster.hostname(id, 'one') }, at);
          assert.equal(forward.address.kind, 'socket');
          const local = net.connect({ path: at.socket });
          assert.deepEqual(await converse(local, allowed), [`ok one ${agreed} ann`]);
        });
    });
});
