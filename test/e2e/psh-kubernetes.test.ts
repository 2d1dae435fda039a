import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';
import { build, run, TestCluster, type Result } from '../../config/test/support/programs.js';
import { FakeApiServer } from '../../plugins/kubernetes/test/support/fake-api-server.js';
import { testPassword, until } from '../support/cluster.js';
import { missingForNode, startNode } from '../support/kubernetes-node.js';
import { KubernetesServer, kubernetesVersions } from '../support/kubernetes-server.js';
import { allowDevelopers } from './support/kubernetes-rights.js';

/** A pod that can be looked into: of a real node where there is one, of a fake elsewhere. */
async function startServer(): Promise<KubernetesServer | FakeApiServer> {
  const [newest] = kubernetesVersions;
  if (newest === undefined || missingForNode() !== undefined) return FakeApiServer.start();
  const server = await KubernetesServer.start(newest);
  await allowDevelopers(server);
  await startNode(server);
  return server;
}

describe('kubectl as psh sets it up', function () {
  this.timeout(120_000);
  let server: KubernetesServer | FakeApiServer;
  let cluster: TestCluster;
  let real: boolean;
  /** What `psh kube env` printed. */
  let kubeconfig: string;

  before(async function () {
    this.timeout(240_000);
    needProgram(this, 'kubectl', 'kubernetes-client');
    needProgram(this, 'script', 'bsdutils');
    await build();
    server = await startServer();
    real = server instanceof KubernetesServer;
    cluster = await TestCluster.start(JSON.stringify({ agent: { secrets: { kube: { file: 'token' } } } }));
    await writeFile(join(cluster.directory, 'token'), server.token, { mode: 0o600 });
    await register();
    await cluster.user('alice', testPassword, ['--role=developers']);
    const { code, stderr } = await cluster.login('alice', [testPassword]);
    assert.equal(code, 0, stderr);
    const { stdout } = await cluster.psh(['kube', 'env', 'prod']);
    kubeconfig = /^export KUBECONFIG=(.*)$/m.exec(stdout)?.[1]?.replace(/^'|'$/g, '') ?? '';
  });

  after(async () => {
    await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
    await (server as KubernetesServer | undefined)?.[Symbol.asyncDispose]();
  });

  async function register(): Promise<void> {
    const spec = {
      host: server.host,
      port: server.port,
      tls: { ca: server.authority.certificate },
      auth: { method: 'token', secret: 'kube' },
    };
    const allow = {
      labels: { env: 'prod' },
      users: ['dev@example.com'],
      groups: ['developers'],
      namespaces: ['shop'],
      verbs: ['*'],
      resources: ['*'],
    };
    const documents = [
      { kind: 'kubernetes', name: 'prod', labels: { env: 'prod' }, spec },
      { kind: 'role', name: 'developers', allow: { kubernetes: allow } },
    ];
    const text = documents.map((one) => `${JSON.stringify(one)}\n`).join('---\n');
    const { code, stderr } = await cluster.postern(['create', '-f', '-'], text);
    assert.equal(code, 0, stderr);
  }

  const kubectl = (args: readonly string[]): Promise<Result> => typed('kubectl', args);

  /** As somebody types it who has run `eval "$(psh kube env prod)"`. */
  const typed = (program: string, args: readonly string[]): Promise<Result> =>
    run(findProgram(program) ?? '', args, {
      cwd: cluster.directory,
      env: { ...cluster.env, KUBECONFIG: kubeconfig },
    });

  it('lists, by a certificate that psh hands it', async () => {
    const { code, stdout, stderr } = await kubectl(['get', 'pods', '-n', 'shop', '-o', 'name']);
    assert.deepEqual([code, stdout], [0, 'pod/box\n'], stderr);
    const { stdout: contexts } = await kubectl(['config', 'get-contexts', '-o', 'name']);
    assert.equal(contexts, 'prod.postern.localhost\n');
  });

  it('is started by psh kube connect', async () => {
    const { code, stdout, stderr } = await cluster.psh([
      'kube',
      'connect',
      'prod',
      '--',
      'get',
      'pods',
      '-n',
      'shop',
      '-o',
      'name',
    ]);
    assert.deepEqual([code, stdout], [0, 'pod/box\n'], stderr);
  });

  it('is told what its role does not allow', async () => {
    const { code, stderr } = await kubectl(['get', 'pods', '-n', 'vault']);
    assert.equal(code, 1);
    assert.match(stderr, /Error from server \(Forbidden\)/);
  });

  it('runs commands, with their output and exit code', async () => {
    const [good, bad] = real
      ? [
          ['echo', 'ran something'],
          ['sh', '-c', 'exit 7'],
        ]
      : [['something'], ['fail']];
    const ran = await kubectl(['exec', '-n', 'shop', 'box', '--', ...(good ?? [])]);
    assert.deepEqual([ran.code, ran.stdout], [0, 'ran something\n'], ran.stderr);
    const failed = await kubectl(['exec', '-n', 'shop', 'box', '--', ...(bad ?? [])]);
    assert.equal(failed.code, 7, failed.stderr);
  });

  it('shows logs', async function () {
    if (!real) needProgram(this, 'kube-apiserver', '(test/support/build-kubernetes.sh)');
    const { stdout, stderr } = await kubectl(['logs', '-n', 'shop', 'box']);
    assert.match(stdout, /^started\n1\n2\n3\n/, stderr);
  });

  it('leaves a terminal and its requests to be played', async () => {
    const command = real ? ['echo', 'seen'] : ['seen'];
    const line = ['kubectl', 'exec', '-it', '-n', 'shop', 'box', '--', ...command].join(' ');
    const shown = await typed('script', ['-qec', line, '/dev/null']);
    assert.match(shown.stdout, /seen/, shown.stderr);
    const recordings = async () =>
      JSON.parse((await cluster.psh(['recordings', 'ls', '--format=json'])).stdout) as readonly {
        readonly session: string;
        readonly recording: string;
        readonly kind: string;
        readonly ended?: string;
      }[];
    await until(async () => (await recordings()).some(({ kind, ended }) => kind === 'terminal' && ended), 20_000);
    const all = await recordings();
    const terminal = all.find(({ kind }) => kind === 'terminal');
    const requests = all.find(({ kind }) => kind === 'requests');
    assert.equal(terminal?.session, requests?.session);
    const played = await cluster.psh(['play', terminal?.session ?? '', '--speed=20']);
    assert.match(played.stdout, /seen/);
    assert.match(played.stderr, new RegExp(`--recording: ${requests?.recording} \\(requests\\)`));
    const read = await cluster.psh(['play', requests?.session ?? '', `--recording=${requests?.recording}`]);
    assert.match(read.stdout, /^\d+\/\d+ → list pods in shop as dev@example\.com \(developers\)$/m);
    assert.match(read.stdout, /^\d+\/\d+ → create pods\/exec box in shop as .*: .*seen \(terminal\)$/m);
    assert.match(read.stdout, /^\d+\/\d+ ← ended: Success, \d+ bytes in and \d+ out in \d+ ms$/m);
  });

  it('says what to do once psh has logged out', async () => {
    const { code } = await cluster.psh(['logout']);
    assert.equal(code, 0);
    const { stderr } = await cluster.psh(['kube', 'credentials']);
    assert.match(stderr, /not logged in; run: psh login/);
  });
});
