import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, createWriteStream, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '@postern/plugin-sdk/testing';
import { Authority, type Issued } from '../../plugins/kubernetes/test/support/authority.js';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'postern-test');

/** The programs that build-kubernetes.sh has put into the cache, the newest version first. */
function builtVersions(): readonly string[] {
  const names = listed(cache).filter((name) => /^kubernetes-\d+\.\d+\.\d+$/.test(name));
  const sound = names.filter((name) => executable(join(cache, name, 'bin', 'kube-apiserver')));
  return sound
    .map((name) => name.replace('kubernetes-', ''))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

const listed = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The versions that were built and can be started here. */
export const kubernetesVersions = findProgram('etcd') === undefined ? [] : builtVersions();

/** A real API server with etcd: nobody but the administrator's certificate and `token` may do anything at first. */
export class KubernetesServer implements AsyncDisposable {
  readonly host = '127.0.0.1';
  /** A bearer token of an account that may impersonate anybody, and nothing else. */
  readonly token = 'postern-agent-token-0123456789abcdef';
  readonly #children: ChildProcess[] = [];

  private constructor(
    readonly version: string,
    readonly directory: string,
    readonly port: number,
    readonly authority: Authority,
  ) {}

  /** A member of system:masters. */
  get administrator(): Issued {
    return this.authority.issue('admin', [], '/O=system:masters/CN=admin');
  }

  static async start(version: string): Promise<KubernetesServer> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-kubernetes-'));
    const authority = new Authority('kubernetes test');
    const server = new KubernetesServer(version, directory, await freePort(), authority);
    try {
      await server.#begin();
      return server;
    } catch (cause) {
      await server[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** The path of a file of this server's. */
  file(name: string): string {
    return join(this.directory, name);
  }

  /** A kubeconfig of the administrator's, for setting up. */
  get kubeconfig(): string {
    return this.file('admin.kubeconfig');
  }

  /** Starts a program that ends with this server; what it prints goes to a file. */
  run(name: string, program: string, args: readonly string[]): ChildProcess {
    const log = createWriteStream(this.file(`${name}.log`));
    const child = spawn(program, [...args], { cwd: this.directory, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      const gone = once(child, 'exit');
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      await gone;
      clearTimeout(late);
    }
    this.authority[Symbol.dispose]();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    const etcd = findProgram('etcd') ?? 'etcd';
    const [clients, peers] = [await freePort(), await freePort()];
    await mkdir(this.file('etcd'));
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    this.run('etcd', etcd, [
      `--data-dir=${this.file('etcd')}`,
      `--listen-client-urls=${url(clients)}`,
      `--advertise-client-urls=${url(clients)}`,
      `--listen-peer-urls=${url(peers)}`,
      `--initial-advertise-peer-urls=${url(peers)}`,
      `--initial-cluster=default=${url(peers)}`,
      '--unsafe-no-fsync',
    ]);
    await this.#files();
    await listening(clients);
    this.run(
      'apiserver',
      join(cache, `kubernetes-${this.version}`, 'bin', 'kube-apiserver'),
      this.#options(url(clients)),
    );
    await this.#ready();
  }

  async #files(): Promise<void> {
    const server = this.authority.issue('kube-apiserver', [
      'DNS:localhost',
      'IP:127.0.0.1',
      'DNS:kubernetes.default.svc',
    ]);
    const files = {
      'ca.crt': this.authority.certificate,
      'server.crt': server.certificate,
      'server.key': server.key,
      'admin.crt': this.administrator.certificate,
      'admin.key': this.administrator.key,
      'account.key': accountKey(),
      'tokens.csv': `${this.token},system:serviceaccount:postern:agent,agent\n`,
      'admin.kubeconfig': this.#administratorsConfig(),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(this.file(name), text, { mode: 0o600 });
  }

  #options(etcd: string): string[] {
    return [
      `--etcd-servers=${etcd}`,
      `--secure-port=${this.port}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=192.0.2.2',
      `--cert-dir=${this.file('certificates')}`,
      `--tls-cert-file=${this.file('server.crt')}`,
      `--tls-private-key-file=${this.file('server.key')}`,
      `--client-ca-file=${this.file('ca.crt')}`,
      `--token-auth-file=${this.file('tokens.csv')}`,
      `--service-account-key-file=${this.file('account.key')}`,
      `--service-account-signing-key-file=${this.file('account.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--authorization-mode=Node,RBAC',
      // No controller makes accounts for pods here.
      '--disable-admission-plugins=ServiceAccount',
      '--service-cluster-ip-range=10.0.0.0/24',
      '--allow-privileged=true',
      '--kubelet-preferred-address-types=Hostname',
      `--kubelet-client-certificate=${this.file('admin.crt')}`,
      `--kubelet-client-key=${this.file('admin.key')}`,
      `--kubelet-certificate-authority=${this.file('ca.crt')}`,
    ];
  }

  #administratorsConfig(): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'c',
          cluster: { server: `https://127.0.0.1:${this.port}`, 'certificate-authority': this.file('ca.crt') },
        },
      ],
      users: [
        { name: 'u', user: { 'client-certificate': this.file('admin.crt'), 'client-key': this.file('admin.key') } },
      ],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    });
  }

  /** Ready, with the roles that it makes for itself. */
  async #ready(): Promise<void> {
    const end = performance.now() + 60_000;
    while (performance.now() < end) {
      const { status } = await this.kubectl(['get', 'clusterrole', 'cluster-admin', '--request-timeout=5s']);
      if (status === 0) return;
      if (this.#children.some(({ exitCode }) => exitCode !== null)) break;
      await sleep(200);
    }
    const log = await readFile(this.file('apiserver.log'), 'utf8').catch(() => '');
    throw new Error(`the API server did not start:\n${log.slice(-3000)}`);
  }

  /** Runs kubectl as the administrator, past everything. */
  async kubectl(args: readonly string[], input?: string): Promise<{ status: number; stdout: string; stderr: string }> {
    return runProgram(findProgram('kubectl') ?? 'kubectl', [`--kubeconfig=${this.kubeconfig}`, ...args], {
      ...(input !== undefined && { input }),
      env: { HOME: this.directory },
    });
  }
}

/** The server reads keys of accounts in the older form alone. */
const accountKey = (): string =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { format: 'pem', type: 'pkcs1' },
    publicKeyEncoding: { format: 'pem', type: 'spki' },
  }).privateKey;

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const child = spawn(program, [...args], { env: { PATH: process.env['PATH'] ?? '', ...options.env } });
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (printed.stdout += String(text)));
  child.stderr.on('data', (text) => (printed.stderr += String(text)));
  child.stdin.on('error', () => {}).end(options.input ?? '');
  const [status] = (await once(child, 'close')) as [number | null];
  return { status: status ?? -1, ...printed };
}

/** A port that nobody had a moment ago; the server itself cannot be told to choose one. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    const socket = net.connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await sleep(100);
  }
  throw new Error(`nobody listens on ${port}`);
}
