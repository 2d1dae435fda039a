import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, type Finished } from '../../../plugins/postgres/test/support/program.js';
import type { TestCluster } from '../../support/cluster.js';

/** A private key and the certificate for it, as OpenSSH writes them. */
export interface SshCredential {
  readonly key: string;
  readonly certificate: string | undefined;
}

/** Says the route preamble, and then carries bytes both ways: what `psh proxy ssh --stdio` does. */
const carrier = [
  'exec 3<>/dev/tcp/127.0.0.1/$0 4<&0',
  String.raw`printf 'POSTERN/1 %s\n' "$1" >&3`,
  'IFS= read -r answer <&3',
  'if [ "$answer" != ok ]; then echo "$answer" >&2; exit 1; fi',
  'cat <&4 >&3 & exec cat <&3',
].join('; ');

/** The stock `ssh`, which reaches the nodes of a cluster through its public port and reads nobody's own configuration. */
export class SshClient implements AsyncDisposable {
  #files = 0;

  private constructor(
    private readonly cluster: TestCluster,
    private readonly directory: string,
  ) {}

  static async create(cluster: TestCluster): Promise<SshClient> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-ssh-'));
    const lines = cluster.running.state.view.bundle('host').openSsh;
    const known = lines.map((line) => `@cert-authority *.ssh.${cluster.cluster} ${line}\n`);
    await writeFile(join(directory, 'known_hosts'), known.join(''));
    await writeFile(join(directory, 'carrier'), carrier);
    return new SshClient(cluster, directory);
  }

  /** What comes before the command: where to, and with which key. */
  async arguments(
    { key, certificate }: SshCredential,
    { login, resource, port = this.cluster.port }: { login: string; resource: string; port?: number },
  ): Promise<string[]> {
    const stem = join(this.directory, String((this.#files += 1)));
    await writeFile(stem, key, { mode: 0o600 });
    if (certificate !== undefined) await writeFile(`${stem}-cert.pub`, `${certificate.trim()}\n`);
    const name = this.cluster.hostname('ssh', resource);
    const options = {
      ProxyCommand: `bash -c "$(cat ${join(this.directory, 'carrier')})" ${port} ${name}`,
      UserKnownHostsFile: join(this.directory, 'known_hosts'),
      GlobalKnownHostsFile: '/dev/null',
      StrictHostKeyChecking: 'yes',
      IdentityFile: stem,
      IdentitiesOnly: 'yes',
      IdentityAgent: 'none',
    };
    return [
      '-F',
      'none',
      ...Object.entries(options).flatMap(([is, value]) => ['-o', `${is}=${value}`]),
      `${login}@${name}`,
    ];
  }

  /** Runs a command on a node to its end. */
  async run(
    credential: SshCredential,
    to: { readonly login: string; readonly resource: string; readonly port?: number },
    command: string,
  ): Promise<Finished> {
    return run('ssh', [...(await this.arguments(credential, to)), command], { timeoutMs: 15_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
