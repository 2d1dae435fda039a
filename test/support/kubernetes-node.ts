import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import { findProgram } from '@postern/plugin-sdk/testing';
import { freePort, runProgram, type KubernetesServer } from './kubernetes-server.js';

const image = 'docker.io/local/busybox:1';

/** What a node needs besides the kubelet; all of them are Debian packages. */
const programs = ['containerd', 'runc', 'ctr', 'busybox', 'unshare'] as const;

/** The first program that is missing for a node, or `root` where that is what is missing. */
export function missingForNode(): string | undefined {
  if (process.getuid?.() !== 0) return 'root';
  return programs.find((name) => findProgram(name) === undefined);
}

/**
 * Gives a server a node of its own, and runs a pod there. All of it lives in a
 * process namespace that ends with its first process, so that no container
 * outlives a test.
 */
export async function startNode(server: KubernetesServer): Promise<void> {
  await makeImage(server);
  await writeFile(server.file('containerd.toml'), containerdConfig(server));
  await writeFile(server.file('kubelet.yaml'), kubeletConfig(server, await freePort()));
  await writeFile(server.file('node.sh'), nodeScript(server), { mode: 0o755 });
  const apart = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '/bin/sh', server.file('node.sh')];
  server.run('node', findProgram('unshare') ?? 'unshare', apart);
  await runPod(server);
}

/** An image out of one static program, as `docker save` writes them. */
async function makeImage(server: KubernetesServer): Promise<void> {
  const bin = server.file('rootfs/bin');
  await mkdir(bin, { recursive: true });
  await mkdir(server.file('rootfs/tmp'), { recursive: true });
  await cp(findProgram('busybox') ?? '', join(bin, 'busybox'));
  for (const name of [
    'sh',
    'sleep',
    'cat',
    'echo',
    'ls',
    'tar',
    'id',
    'stty',
    'dd',
    'seq',
    'nc',
    'wc',
    'sha256sum',
    'true',
  ])
    await symlink('busybox', join(bin, name));
  await shell(server, 'tar -C rootfs -cf layer.tar .');
  const digest = (await shell(server, 'sha256sum layer.tar')).slice(0, 64);
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    history: [{ created_by: 'test' }],
  };
  const manifest = [{ Config: 'config.json', RepoTags: [image], Layers: ['layer.tar'] }];
  await writeFile(server.file('config.json'), JSON.stringify(config));
  await writeFile(server.file('manifest.json'), JSON.stringify(manifest));
  await shell(server, 'tar -cf image.tar config.json layer.tar manifest.json');
}

async function shell(server: KubernetesServer, command: string): Promise<string> {
  const { status, stdout, stderr } = await runProgram('/bin/sh', ['-c', `cd '${server.directory}' && ${command}`]);
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}

function nodeScript(server: KubernetesServer): string {
  const kubelet = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    `postern-test/kubernetes-${server.version}/bin/kubelet`,
  );
  const socket = server.file('c.sock');
  const old = Number(server.version.split('.')[1]) < 27;
  const runtime = old ? `--container-runtime=remote --container-runtime-endpoint=unix://${socket}` : '';
  return [
    // Containers see the loopback device of everybody, and nothing of ours is seen outside.
    'mount --make-rprivate / 2>/dev/null',
    `${findProgram('containerd') ?? ''} --config '${server.file('containerd.toml')}' &`,
    `until ${findProgram('ctr') ?? ''} --address '${socket}' version >/dev/null 2>&1; do sleep 0.1; done`,
    `${findProgram('ctr') ?? ''} --address '${socket}' --namespace k8s.io images import '${server.file('image.tar')}'`,
    `exec ${kubelet} --config='${server.file('kubelet.yaml')}' --kubeconfig='${server.kubeconfig}' ` +
      `--hostname-override=localhost --root-dir='${server.file('kubelet')}' --cert-dir='${server.file('pki')}' ${runtime}`,
    '',
  ].join('\n');
}

function containerdConfig(server: KubernetesServer): string {
  return `version = 2
root = "${server.file('c-root')}"
state = "${server.file('c-state')}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${server.file('c.sock')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${image}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${server.file('cni-bin')}"
    conf_dir = "${server.file('cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "${findProgram('runc') ?? ''}"
`;
}

function kubeletConfig(server: KubernetesServer, port: number): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port,
    readOnlyPort: 0,
    healthzPort: 0,
    cgroupDriver: 'cgroupfs',
    failSwapOn: false,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: server.file('ca.crt') },
    },
    authorization: { mode: 'AlwaysAllow' },
    tlsCertFile: server.file('server.crt'),
    tlsPrivateKeyFile: server.file('server.key'),
    cgroupRoot: '/',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    resolvConf: '',
    evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%' },
    makeIPTablesUtilChains: false,
    ...(Number(server.version.split('.')[1]) >= 27 && {
      containerRuntimeEndpoint: `unix://${server.file('c.sock')}`,
      podLogsDir: server.file('pod-logs'),
    }),
  });
}

async function runPod(server: KubernetesServer): Promise<void> {
  const container = {
    name: 'main',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '-c', 'echo started; seq 1 3; sleep 1000000'],
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'box', namespace: 'shop' },
    spec: {
      nodeName: 'localhost',
      hostNetwork: true,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      containers: [container],
    },
  };
  const end = performance.now() + 60_000;
  const made = await server.kubectl(['apply', '-f', '-'], JSON.stringify(pod));
  if (made.status !== 0) throw new Error(`no pod: ${made.stderr}`);
  while (performance.now() < end) {
    const { stdout } = await server.kubectl(['get', 'pod', 'box', '-n', 'shop', '-o', 'jsonpath={.status.phase}']);
    if (stdout === 'Running') return;
    await sleep(300);
  }
  const { stdout } = await server.kubectl(['describe', 'pod', 'box', '-n', 'shop']);
  const log = await readFile(server.file('node.log'), 'utf8').catch(() => '');
  throw new Error(`the pod does not run:\n${stdout.slice(-1500)}\n${log.slice(-4000)}`);
}
