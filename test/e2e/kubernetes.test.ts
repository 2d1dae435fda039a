import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { FakeApiServer } from '../../plugins/kubernetes/test/support/fake-api-server.js';
import { createLock, deleteLock, listRecordings } from '@postern/kernel/api/contract';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';
import { until } from '../support/cluster.js';
import { missingForNode, startNode } from '../support/kubernetes-node.js';
import { KubernetesServer, kubernetesVersions, runProgram } from '../support/kubernetes-server.js';
import type { TestLogin } from '../support/login.js';
import { KubernetesSite, kubectls } from './support/kubernetes.js';

describe('kubectl through a cluster, against a server that speaks its protocols', function () {
  this.timeout(120_000);
  let site: KubernetesSite;
  let alice: TestLogin;

  before(async function () {
    needProgram(this, 'kubectl', 'kubernetes-client');
    site = await KubernetesSite.around(await FakeApiServer.start());
    alice = await site.cluster.login('alice');
  });
  after(() => (site as KubernetesSite | undefined)?.[Symbol.asyncDispose]());

  it('lists, is refused, and runs commands over WebSocket or SPDY, with their exit codes, at every version', async () => {
    for (const { name, path: program } of await kubectls()) {
      const listed = await site.kubectl(['get', 'pods', '-n', 'shop', '-o', 'name'], { as: alice, program });
      assert.equal(listed.stdout, 'pod/box\n', `${name}: ${listed.stderr}`);
      const denied = await site.kubectl(['get', 'pods', '-n', 'shop', '--as=admin'], { as: alice, program });
      assert.match(denied.stderr, /[Ff]orbidden/);
      const run = (command: string) =>
        site.kubectl(['exec', '-n', 'shop', 'box', '--', command], { as: alice, program });
      const ran = await run('something');
      assert.deepEqual([ran.status, ran.stdout], [0, 'ran something\n'], `${name}: ${ran.stderr}`);
      const failed = await run('fail');
      assert.deepEqual([failed.status, failed.stdout], [7, 'failing\n'], `${name}: ${failed.stderr}`);
    }
  });
});

const versions = kubernetesVersions.length > 0 ? kubernetesVersions : [undefined];

for (const version of versions)
  describe(`kubectl through a cluster, against Kubernetes ${version ?? 'that was built'}`, function () {
    this.timeout(60_000);
    let site: KubernetesSite;
    let alice: TestLogin;
    let rita: TestLogin;
    let root: TestLogin;
    let eve: TestLogin;

    before(async function () {
      this.timeout(120_000);
      needProgram(this, 'kubectl', 'kubernetes-client');
      if (version === undefined) return needProgram(this, 'kube-apiserver', '(test/support/build-kubernetes.sh)');
      site = await KubernetesSite.start(version);
      alice = await site.cluster.login('alice');
      rita = await site.cluster.login('rita');
      root = await site.cluster.login('root');
      eve = await site.cluster.login('eve');
    });
    after(() => (site as KubernetesSite | undefined)?.[Symbol.asyncDispose]());

    const sum = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

    it('is answered with every kubectl of this machine', async function () {
      this.timeout(180_000);
      for (const { name, path } of await kubectls()) {
        const { stdout, stderr } = await site.kubectl(['get', 'namespaces', '-o', 'name'], {
          as: alice,
          program: path,
        });
        assert.match(stdout, /namespace\/shop/, `${name}: ${stderr}`);
      }
    });

    it('is who the roles say, whatever the cluster knows of the agent', async () => {
      const created = await site.kubectl(['create', 'configmap', 'who', '--from-literal=a=b', '-n', 'shop'], {
        as: alice,
      });
      assert.equal(created.status, 0, created.stderr);
      const requests = await site.cluster.events({ user: 'alice', types: ['kubernetes.request'] });
      const { fields = {} } = requests.findLast((one) => one.fields['verb'] === 'create') ?? {};
      assert.equal(fields['user'], 'dev@example.com');
      assert.deepEqual(fields['groups'], ['developers']);
    });

    it('is told why, as by Kubernetes, what its role does not allow', async () => {
      const { status, stderr } = await site.kubectl(['get', 'secrets', '-n', 'shop'], { as: rita });
      assert.equal(status, 1);
      assert.match(stderr, /Error from server \(Forbidden\): \S.{10,}/);
      const elsewhere = await site.kubectl(['get', 'pods', '-n', 'vault'], { as: rita });
      assert.match(elsewhere.stderr, /Error from server \(Forbidden\)/);
      assert.equal((await site.kubectl(['get', 'configmaps', '-n', 'shop'], { as: rita })).status, 0);
      await site.cluster.event({ user: 'rita', types: ['session.denied'] });
    });

    it('is told why where no role is about this cluster', async () => {
      const { status, stderr } = await site.kubectl(['get', 'pods'], { as: eve });
      assert.equal(status, 1);
      assert.match(stderr, /Forbidden|forbidden/);
    });

    it('cannot be somebody else with --as, unless a role names them', async () => {
      const args = ['auth', 'can-i', '*', '*', '--as=admin', '--as-group=system:masters'];
      const denied = await site.kubectl(args, { as: alice });
      assert.notEqual(denied.stdout.trim(), 'yes');
      assert.match(denied.stderr, /Forbidden|forbidden/);
      assert.equal((await site.kubectl(args, { as: root })).stdout.trim(), 'yes');
    });

    it('carries large objects unchanged in both directions', async () => {
      const file = join(site.home, 'large');
      await writeFile(file, randomBytes(350_000).toString('hex'));
      const text = await readFile(file, 'utf8');
      const args = ['create', 'configmap', 'large', `--from-file=large=${file}`, '-n', 'shop'];
      const { status, stderr } = await site.kubectl(args, { as: alice });
      assert.equal(status, 0, stderr);
      const got = await site.kubectl(['get', 'configmap', 'large', '-n', 'shop', '-o', 'jsonpath={.data.large}'], {
        as: alice,
      });
      assert.equal(sum(got.stdout), sum(text));
    });

    it('watches, and is cut by a lock within two seconds, with the reason', async () => {
      const config = await site.config(alice);
      const args = [`--kubeconfig=${config}`, 'get', 'configmaps', '-n', 'shop', '--watch'];
      const child = spawn(findProgram('kubectl') ?? '', args, { env: { PATH: process.env['PATH'], HOME: site.home } });
      const printed = { out: '', errors: '' };
      child.stdout.on('data', (text) => (printed.out += String(text)));
      child.stderr.on('data', (text) => (printed.errors += String(text)));
      const closed = once(child, 'close');
      await until(() => /^who /m.test(printed.out));
      await site.kubectl(['create', 'configmap', 'seen', '-n', 'shop'], {});
      await until(() => /^seen /m.test(printed.out));
      const from = performance.now();
      const { id } = await site.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'laptop lost' });
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 4000).unref())]);
      const took = performance.now() - from;
      child.kill();
      await site.cluster.admin.call(deleteLock, { id });
      await site.cluster.seen();
      assert.ok(took < 2500, `${took} ms`);
      assert.match(printed.out + printed.errors, /laptop lost/, JSON.stringify(printed));
    });

    it('is one session for many commands, whose requests are all in the log', async () => {
      const before = (await site.cluster.events({ user: 'alice', types: ['session.start'] })).length;
      for (let n = 0; n < 3; n += 1) await site.kubectl(['get', 'configmaps', '-n', 'shop'], { as: alice });
      const after = await site.cluster.events({ user: 'alice', types: ['session.start'] });
      assert.ok(after.length - before <= 1);
      const lists = await site.cluster.events({ types: ['kubernetes.response'] });
      assert.ok(lists.every(({ fields }) => typeof fields['status'] === 'number'));
    });

    describe('with a node', function () {
      before(async function () {
        this.timeout(120_000);
        const missing = missingForNode();
        if (missing !== undefined) return needProgram(this, missing, missing === 'root' ? 'root' : `${missing} (node)`);
        if (site.server instanceof KubernetesServer) await startNode(site.server);
      });

      const exec = ['exec', '-n', 'shop', 'box', '--'];

      /** The framings that a client can be made to use. */
      const framings: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
        ['as it likes', {}],
        ['over SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }],
      ];

      it('runs commands with every kubectl, with input, output and exit code', async function () {
        this.timeout(240_000);
        for (const { name, path: program } of await kubectls())
          for (const [framing, env] of framings) {
            const ran = await site.kubectl([...exec, 'sh', '-c', 'echo out; echo err >&2; exit 7'], {
              as: alice,
              program,
              env,
            });
            assert.deepEqual([ran.status, ran.stdout], [7, 'out\n'], `${name} ${framing}: ${ran.stderr}`);
            assert.match(ran.stderr, /^err$/m);
            const typed = ['exec', '-i', '-n', 'shop', 'box', '--', 'cat'];
            const echoed = await site.kubectl(typed, { as: alice, program, env, input: 'a line\n' });
            assert.equal(echoed.stdout, 'a line\n', `${name} ${framing}: ${echoed.stderr}`);
          }
      });

      for (const [framing, env] of framings) {
        it(`records a terminal ${framing}, and how it ended`, async () => {
          const config = await site.config(alice);
          const kubectl = findProgram('kubectl') ?? '';
          const command = `${kubectl} --kubeconfig=${config} exec -it -n shop box -- sh -c 'sleep 0.5; stty size; echo seen-by-me; exit 5'`;
          const terminals = async (): Promise<number> =>
            (await site.cluster.admin.call(listRecordings, {})).filter(({ kind }) => kind === 'terminal').length;
          const before = await terminals();
          const ran = await runProgram('script', ['-qec', `stty cols 91 rows 33; ${command}`, '/dev/null'], {
            env: { HOME: site.home, ...env },
          });
          assert.match(ran.stdout, /33 91[^]*seen-by-me/, ran.stderr);
          await until(async () => (await terminals()) > before);
          await site.cluster.event({ user: 'alice', types: ['kubernetes.stream'] });
          const streams = await site.cluster.events({ user: 'alice', types: ['kubernetes.stream'] });
          assert.deepEqual([streams.at(-1)?.fields['exit'], streams.at(-1)?.fields['recorded']], ['5', true]);
          const requests = await site.cluster.events({ user: 'alice', types: ['kubernetes.request'] });
          const { fields = {} } = requests.findLast((one) => one.fields['resource'] === 'pods/exec') ?? {};
          assert.deepEqual(fields['command'], ['sh', '-c', 'sleep 0.5; stty size; echo seen-by-me; exit 5']);
          assert.equal(fields['tty'], true);
        });

        it(`copies a file in and out unchanged ${framing}`, async () => {
          const [source, back] = [join(site.home, 'source'), join(site.home, 'back')];
          await writeFile(source, randomBytes(3_000_000));
          const into = await site.kubectl(['cp', source, 'shop/box:/tmp/copied'], { as: alice, env });
          assert.equal(into.status, 0, into.stderr);
          const out = await site.kubectl(['cp', 'shop/box:/tmp/copied', back], { as: alice, env });
          assert.equal(out.status, 0, out.stderr);
          assert.equal(sum(await readFile(back)), sum(await readFile(source)));
        });

        it(`forwards a port ${framing}`, async () => {
          const target = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
          await once(target, 'listening');
          const { port } = target.address() as net.AddressInfo;
          const args = [`--kubeconfig=${await site.config(alice)}`, 'port-forward', '-n', 'shop', 'box', `:${port}`];
          const environment = { PATH: process.env['PATH'], HOME: site.home, ...env };
          const child = spawn(findProgram('kubectl') ?? '', args, { env: environment });
          const printed = { text: '' };
          for (const stream of [child.stdout, child.stderr])
            stream.on('data', (text) => (printed.text += String(text)));
          try {
            await until(() => /Forwarding from 127\.0\.0\.1:(\d+)/.test(printed.text) || child.exitCode !== null);
            const [, local] = /127\.0\.0\.1:(\d+)/.exec(printed.text) ?? [];
            assert.ok(local !== undefined, printed.text);
            const socket = net.connect(Number(local), '127.0.0.1');
            socket.write('through it all');
            const [answer] = (await once(socket, 'data')) as [Buffer];
            assert.equal(answer.toString(), 'through it all');
            socket.destroy();
          } finally {
            const closed = once(child, 'close');
            child.kill();
            await closed;
            target.close();
            await once(target, 'close');
          }
        });

        it(`is cut within a command ${framing}, and prints why`, async () => {
          const args = [`--kubeconfig=${await site.config(alice)}`, ...exec, 'sh', '-c', 'echo here; sleep 20'];
          const child = spawn(findProgram('kubectl') ?? '', args, {
            env: { PATH: process.env['PATH'], HOME: site.home, ...env },
          });
          const printed = { out: '', errors: '' };
          child.stdout.on('data', (text) => (printed.out += String(text)));
          child.stderr.on('data', (text) => (printed.errors += String(text)));
          const closed = once(child, 'close');
          await until(() => printed.out.includes('here') || child.exitCode !== null);
          const from = performance.now();
          const { id } = await site.cluster.admin.call(createLock, {
            target: { user: 'alice' },
            message: 'laptop lost',
          });
          await closed;
          const took = performance.now() - from;
          await site.cluster.admin.call(deleteLock, { id });
          await site.cluster.seen();
          assert.ok(took < 2500, `${took} ms`);
          assert.match(printed.errors, /laptop lost/);
        });
      }

      it('shows logs, and may not do what its role does not name', async () => {
        const { stdout, stderr } = await site.kubectl(['logs', '-n', 'shop', 'box'], { as: alice });
        assert.match(stdout, /^started\n1\n2\n3\n/, stderr);
        const denied = await site.kubectl([...exec, 'id'], { as: rita });
        assert.notEqual(denied.status, 0);
        assert.match(denied.stderr, /[Ff]orbidden|may not/);
      });
    });
  });
