import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ClientProfile } from '@postern/plugin-sdk';
import { findProgram } from '@postern/plugin-sdk/testing';
import { standardPlugins } from '../../../config/src/standard.js';
import { kubernetesClient } from '../../../plugins/kubernetes/src/client.js';
import { kubernetes } from '../../../plugins/kubernetes/src/protocol.js';
import { type FakeApiServer } from '../../../plugins/kubernetes/test/support/fake-api-server.js';
import { TestCluster } from '../../support/cluster.js';
import { KubernetesServer, runProgram, type Finished } from '../../support/kubernetes-server.js';
import type { TestLogin } from '../../support/login.js';
import { allowDevelopers } from './kubernetes-rights.js';

const everywhere = { labels: { '*': '*' }, namespaces: ['*'], verbs: ['*'], resources: ['*'] };

/** Every kubectl on this machine: the one on the PATH, and those that lie beside it under the names of their versions. */
export async function kubectls(): Promise<readonly { name: string; path: string }[]> {
  const main = findProgram('kubectl');
  const folders = [...new Set([dirname(main ?? '/usr/bin/kubectl'), '/usr/lib/google-cloud-sdk/bin'])];
  const beside = await Promise.all(
    folders.map(async (folder) => {
      const names = (await readdir(folder).catch(() => [])).filter((name) => /^kubectl\.1\.\d+$/.test(name));
      return names.map((name) => ({ name, path: join(folder, name) }));
    }),
  );
  return [...(main === undefined ? [] : [{ name: 'kubectl', path: main }]), ...beside.flat()].sort((a, b) =>
    a.name.localeCompare(b.name),
  );
}

export interface KubectlOptions {
  readonly as?: TestLogin;
  readonly program?: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** A cluster of ours with a real API server behind it, to which the agent alone has a token. */
export class KubernetesSite implements AsyncDisposable {
  #files = 0;
  readonly #configs = new Map<TestLogin, string>();

  private constructor(
    readonly cluster: TestCluster,
    readonly server: KubernetesServer | FakeApiServer,
    readonly home: string,
  ) {}

  /**
   * `alice` is dev@example.com in the group developers, `rita` may only look
   * into the namespace shop, `root` may be anybody, `eve` is elsewhere.
   */
  static async start(version: string): Promise<KubernetesSite> {
    const server = await KubernetesServer.start(version);
    await allowDevelopers(server);
    return KubernetesSite.around(server);
  }

  /** The same before any server, which allows what it likes. */
  static async around(server: KubernetesServer | FakeApiServer): Promise<KubernetesSite> {
    const home = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
    const secret = join(home, 'token');
    await writeFile(secret, `${server.token}\n`, { mode: 0o600 });
    const developer = { ...everywhere, users: ['dev@example.com'], groups: ['developers'] };
    const cluster = await TestCluster.start({
      plugins: standardPlugins,
      configuration: { agent: { secrets: { 'kube-token': { file: secret } } } },
      roles: [
        { name: 'developer', allow: { kubernetes: developer } },
        {
          name: 'reader',
          allow: {
            kubernetes: {
              ...developer,
              namespaces: ['shop'],
              verbs: ['get', 'list', 'watch'],
              resources: ['pods', 'configmaps'],
            },
          },
        },
        { name: 'anybody', allow: { kubernetes: { ...everywhere, users: ['*'], groups: ['*'] } } },
        { name: 'elsewhere', allow: { kubernetes: { ...developer, labels: { env: 'none' } } } },
      ],
      resources: [
        {
          kind: 'kubernetes',
          name: 'prod',
          spec: {
            host: server.host,
            port: server.port,
            tls: { ca: server.authority.certificate },
            auth: { method: 'token', secret: 'kube-token' },
          },
        },
      ],
      users: {
        alice: { roles: ['developer'] },
        rita: { roles: ['reader'] },
        root: { roles: ['anybody'] },
        eve: { roles: ['elsewhere'] },
      },
    });
    return new KubernetesSite(cluster, server, home);
  }

  /** The kubeconfig that login writes, with the certificates in files where `psh` would be asked. */
  async config(login: TestLogin): Promise<string> {
    const known = this.#configs.get(login);
    if (known) return known;
    const stem = join(this.home, String((this.#files += 1)));
    const files = { authority: `${stem}.ca`, certificate: `${stem}.crt`, key: `${stem}.key` };
    await writeFile(files.authority, this.cluster.authorities);
    await writeFile(files.certificate, login.certificate);
    await writeFile(files.key, login.key, { mode: 0o600 });
    const written = kubernetesClient.configure(this.#profile(files), [this.#target()]).files ?? {};
    const text = written['kube/prod.yaml'] ?? '';
    const path = `${stem}.yaml`;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    this.#configs.set(login, path);
    return path;
  }

  /** Runs kubectl as somebody who has logged in. */
  async kubectl(args: readonly string[], { as, program, input, env }: KubectlOptions = {}): Promise<Finished> {
    const config = as === undefined ? this.#administrators() : await this.config(as);
    return runProgram(program ?? findProgram('kubectl') ?? '', [`--kubeconfig=${config}`, ...args], {
      ...(input !== undefined && { input }),
      env: { HOME: this.home, ...env },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true });
  }

  #administrators(): string {
    if (this.server instanceof KubernetesServer) return this.server.kubeconfig;
    throw new Error('this server has no administrator');
  }

  #target() {
    const spec = kubernetes.auth.resource.parse({ auth: { method: 'token', secret: 'x' } });
    const resource = { name: 'prod', labels: {}, spec };
    return { resource, hostname: this.cluster.hostname('kubernetes', 'prod'), principals: [] };
  }

  /** Its program prints the credential, as `psh kube credentials` does. */
  #profile(files: Pick<ClientProfile['files'], 'authority' | 'certificate' | 'key'>): ClientProfile {
    const printer =
      'const { readFileSync: read } = require("fs"); const [c, k] = process.argv.slice(1);' +
      'console.log(JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1beta1", kind: "ExecCredential",' +
      'status: { clientCertificateData: read(c, "utf8"), clientKeyData: read(k, "utf8") } }))';
    const { authority, certificate, key } = files;
    return {
      cluster: this.cluster.cluster,
      user: 'alice',
      home: this.home,
      directory: this.home,
      proxy: { host: '127.0.0.1', port: this.cluster.port },
      program: [process.execPath, '-e', printer, certificate, key],
      files: { authority, certificate, key, identity: '', sshKey: '', sshCertificate: '', knownHosts: '' },
      resolves: () => false,
    };
  }
}
