import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';
import { until } from '../support/cluster.js';
import { kubernetesVersions } from '../support/kubernetes-server.js';
import type { TestLogin } from '../support/login.js';
import { KubernetesSite, kubectls } from './support/kubernetes.js';

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
      const { fields } = await site.cluster.event({ types: ['kubernetes.request'], text: '"verb":"create"' });
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
      const text = (await import('node:fs')).readFileSync(file, 'utf8');
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
      const args = [`--kubeconfig=${config}`, 'get', 'configmaps', '-n', 'shop', '--watch', '-o', 'name'];
      const child = spawn(findProgram('kubectl') ?? '', args, { env: { PATH: process.env['PATH'], HOME: site.home } });
      const printed = { out: '', errors: '' };
      child.stdout.on('data', (text) => (printed.out += String(text)));
      child.stderr.on('data', (text) => (printed.errors += String(text)));
      const closed = once(child, 'close');
      await until(() => printed.out.includes('configmap/'));
      await site.kubectl(['create', 'configmap', 'seen', '-n', 'shop'], {});
      await until(() => printed.out.includes('configmap/seen'));
      const from = performance.now();
      const { id } = await site.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'laptop lost' });
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 4000).unref())]);
      const took = performance.now() - from;
      child.kill();
      await site.cluster.admin.call(deleteLock, { id });
      await site.cluster.seen();
      assert.ok(took < 2500, `${took} ms`);
      assert.match(printed.errors, /laptop lost/, JSON.stringify(printed));
    });

    it('is one session for many commands, whose requests are all in the log', async () => {
      const before = (await site.cluster.events({ user: 'alice', types: ['session.start'] })).length;
      for (let n = 0; n < 3; n += 1) await site.kubectl(['get', 'configmaps', '-n', 'shop'], { as: alice });
      const after = await site.cluster.events({ user: 'alice', types: ['session.start'] });
      assert.ok(after.length - before <= 1);
      const lists = await site.cluster.events({ types: ['kubernetes.response'] });
      assert.ok(lists.every(({ fields }) => typeof fields['status'] === 'number'));
    });
  });
