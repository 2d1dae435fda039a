import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile, chmod, chown } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { innerCertificate } from '../../src/inner-certificate.js';

/** VNC knows no longer ones. */
export const vncPassword = 'Vnc-Pw55';

/** Who runs the programs, where the tests run as root. */
const nobody = 65_534;

/** A real desktop without accounts: Xvnc with a password, and xrdp before it. Runs unprivileged. */
export class XvncDesktop implements AsyncDisposable {
  readonly #programs: ChildProcess[] = [];

  private constructor(
    readonly directory: string,
    readonly port: number,
    readonly fingerprint: string,
    /** The display that the desktop is. */
    readonly display: string,
  ) {}

  static async start(): Promise<XvncDesktop> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-xrdp-'));
    const [port, vnc] = [await freePort(), await freePort()];
    // Displays are named by numbers that no port is near to, and that seldom collide.
    const display = `:${200 + (vnc % 700)}`;
    const { key, certificate } = innerCertificate(new Date());
    const fingerprint = createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
    const desktop = new XvncDesktop(directory, port, fingerprint, display);
    const file = async (name: string, text: string): Promise<string> => {
      const path = join(directory, name);
      await writeFile(path, text, { mode: 0o600 });
      if (process.getuid?.() === 0) await chown(path, nobody, nobody);
      return path;
    };
    const paths = { key: await file('key.pem', key), certificate: await file('cert.pem', certificate) };
    await file('xrdp.ini', configuration({ ...paths, port, vnc, log: join(directory, 'xrdp.log') }));
    await file('password', '');
    await chmod(directory, 0o700);
    if (process.getuid?.() === 0) await chown(directory, nobody, nobody);
    try {
      await desktop.#start(vnc);
      return desktop;
    } catch (cause) {
      await desktop[Symbol.asyncDispose]();
      throw cause;
    }
  }

  spec(more: object = {}): Record<string, unknown> {
    return {
      host: '127.0.0.1',
      port: this.port,
      tls: { mode: 'fingerprint', fingerprints: [this.fingerprint] },
      accounts: [{ login: 'na', secret: 'desktop' }],
      ...more,
    };
  }

  /** A program on the desktop. */
  run(program: string, ...args: readonly string[]): ChildProcess {
    const home = { HOME: this.directory, DISPLAY: this.display, PATH: process.env['PATH'] ?? '' };
    const ids = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const child = spawn(program, args, { env: home, stdio: 'ignore', cwd: this.directory, ...ids });
    child.on('error', () => {});
    this.#programs.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs.reverse()) program.kill('SIGTERM');
    await Promise.all(this.#programs.map(closed));
    await rm(this.directory, { recursive: true, force: true });
  }

  async #start(vnc: number): Promise<void> {
    const password = join(this.directory, 'password');
    this.run('sh', '-c', `printf '${vncPassword}\\n${vncPassword}\\n' | tigervncpasswd -f > ${password}`);
    await until(async () => (await readFile(password)).length > 0);
    const screen = ['-geometry', '800x600', '-depth', '24', '-rfbport', String(vnc), '-localhost', '-AlwaysShared'];
    this.run('Xtigervnc', this.display, ...screen, '-rfbauth', password, '-SecurityTypes', 'VncAuth');
    await until(() => reachable(vnc));
    this.run('xsetroot', '-solid', '#335577');
    this.run('xrdp', '-n', '-c', join(this.directory, 'xrdp.ini'));
    await until(() => reachable(this.port));
  }
}

function configuration(options: { port: number; vnc: number; key: string; certificate: string; log: string }): string {
  return `[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:${options.port}
tcp_nodelay=true
security_layer=negotiate
crypt_level=high
certificate=${options.certificate}
key_file=${options.key}
ssl_protocols=TLSv1.2, TLSv1.3
autorun=vnc
allow_channels=true
allow_multimon=true
bitmap_cache=true
bitmap_compression=true
bulk_compression=true
max_bpp=32

[Logging]
LogFile=${options.log}
LogLevel=INFO
EnableSyslog=false

[vnc]
name=vnc
lib=libvnc.so
ip=127.0.0.1
port=${options.vnc}
username=na
password=ask
`;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function reachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

export async function until(holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not true after ${ms} ms`);
    await sleep(20);
  }
}

export const closed = (program: ChildProcess): Promise<unknown> =>
  program.exitCode !== null || program.signalCode !== null || program.pid === undefined
    ? Promise.resolve()
    : new Promise((resolve) => program.once('close', resolve));
