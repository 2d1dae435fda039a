import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '@postern/plugin-sdk/testing';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'postern-test');

/** FerretDB, as build-ferretdb.sh has built it or as the machine has it; nothing where there is none. */
export function findFerretdb(): string | undefined {
  const versions = existsSync(cache) ? readdirSync(cache).filter((name) => /^ferretdb-\d+\.\d+\.\d+$/.test(name)) : [];
  const built = versions.map((name) => join(cache, name, 'bin', 'ferretdb')).filter((path) => existsSync(path));
  return built.sort().at(-1) ?? findProgram('ferretdb');
}

export interface FerretdbOptions {
  /** PEM: the server then speaks TLS, and wants certificates of `ca` where that is given. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly ca?: string };
}

/**
 * FerretDB on a free port of the loopback interface, which speaks the protocol
 * of MongoDB and keeps its data in SQLite. `app` has the password `pencil`.
 */
export class FerretdbServer implements AsyncDisposable {
  private constructor(
    readonly endpoint: { readonly host: string; readonly port: number },
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(program: string, { tls }: FerretdbOptions = {}): Promise<FerretdbServer> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-ferretdb-'));
    const state = join(directory, 'state');
    await mkdir(state);
    // Whoever the server runs as need not be able to read the cache of whoever built it.
    const copy = join(directory, 'ferretdb');
    await copyFile(program, copy);
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(directory, name), text, { mode: 0o644 });
      return join(directory, name);
    };
    const listen = tls
      ? [
          '--listen-addr=',
          '--listen-tls=127.0.0.1:0',
          `--listen-tls-cert-file=${await file('tls.crt', tls.certificate)}`,
          `--listen-tls-key-file=${await file('tls.key', tls.key)}`,
          ...(tls.ca === undefined ? [] : [`--listen-tls-ca-file=${await file('ca.crt', tls.ca)}`]),
        ]
      : ['--listen-addr=127.0.0.1:0'];
    for (const [path, mode] of [[directory, 0o755], [state, 0o777], [copy, 0o755]] as const) await chmod(path, mode); // prettier-ignore
    const args = `--handler=sqlite --sqlite-url=file:${state}/ --state-dir=${state} --telemetry=disable --debug-addr=- --log-format=text --test-enable-new-auth --setup-database=admin --setup-username=app --setup-password=pencil`;
    const child = asNobody(copy, [...args.split(' '), ...listen]);
    try {
      return new FerretdbServer({ host: '127.0.0.1', port: await listening(child) }, directory, child);
    } catch (cause) {
      child.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
      throw cause;
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The port that the server says it has. It goes on saying things, which nobody reads. */
async function listening(child: ChildProcess): Promise<number> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = said.slice(-20_000) + text;
      const port = /Listening on (?:TCP|TLS) 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('close', () => reject(new Error(`ferretdb ended: ${said}`)));
    child.once('error', reject);
  });
}

function asNobody(program: string, args: readonly string[]): ChildProcess {
  const options: SpawnOptions = { stdio: ['ignore', 'ignore', 'pipe'] };
  if (process.getuid?.() !== 0) return spawn(program, args, options);
  const rest = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--', program, ...args];
  return spawn('setpriv', rest, options);
}
