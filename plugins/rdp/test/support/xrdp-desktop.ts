import { createHash, X509Certificate } from 'node:crypto';
import { access, chmod, constants, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { innerCertificate } from '../../src/inner-certificate.js';
import { freePort, Programs, reachable, until } from './programs.js';

/** VNC knows no longer ones. */
export const vncPassword = 'Vnc-Pw55';

/** The colour that its screen is filled with. */
export const desktopColour = '335577';

/** Where xrdp's programs meet: compiled into them, and made by an xrdp of root's. */
const sockets = '/run/xrdp/sockdir';

/** Whether desktops here can have a bridge from the clipboard to their programs; makes what root alone can. */
export async function canBridge(): Promise<boolean> {
  try {
    if ((await mkdir(sockets, { recursive: true })) !== undefined) await chmod(sockets, 0o1777);
    await access(sockets, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export interface XrdpOptions {
  readonly backend?: 'xvnc' | 'xorg';
  /** With the bridge from the clipboard to programs, as users of xrdp have it: see {@link canBridge}. */
  readonly bridged?: boolean;
}

/** A real desktop without accounts: xrdp before Xvnc, which asks for a password, or before Xorg, which asks for none. */
export class XrdpDesktop implements AsyncDisposable {
  private constructor(
    readonly programs: Programs,
    readonly port: number,
    readonly fingerprint: string,
  ) {}

  static async start({ backend = 'xvnc', bridged = false }: XrdpOptions = {}): Promise<XrdpDesktop> {
    const [port, vnc] = [await freePort(), await freePort()];
    // Displays are named by numbers that no port is near to, and that seldom collide.
    const programs = await Programs.at(200 + (vnc % 700));
    const { key, certificate } = innerCertificate(new Date());
    const fingerprint = createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
    const desktop = new XrdpDesktop(programs, port, fingerprint);
    try {
      await (backend === 'xvnc' ? startXvnc(programs, vnc) : startXorg(programs));
      const paths = {
        key: await programs.file('key.pem', key),
        certificate: await programs.file('cert.pem', certificate),
        log: join(programs.directory, 'xrdp.log'),
      };
      const lines = [backend === 'xvnc' ? behindVnc(vnc) : behindXorg(programs)];
      if (bridged) lines.push(bridge(programs));
      await programs.file('xrdp.ini', configuration({ ...paths, port, backend: lines.join('\n') }));
      programs.run('xsetroot', '-solid', `#${desktopColour}`);
      programs.run('xrdp', '-n', '-c', join(programs.directory, 'xrdp.ini'));
      await until(() => reachable(port));
      return desktop;
    } catch (cause) {
      await desktop[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** The display that the desktop is. */
  get display(): string {
    return this.programs.display;
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.programs[Symbol.asyncDispose]();
  }
}

async function startXvnc(programs: Programs, port: number): Promise<void> {
  const password = await programs.file('password', '');
  programs.run('sh', '-c', `printf '${vncPassword}\\n${vncPassword}\\n' | tigervncpasswd -f > ${password}`);
  await until(async () => (await readFile(password)).length > 0);
  const screen = ['-geometry', '800x600', '-depth', '24', '-rfbport', String(port), '-localhost', '-AlwaysShared'];
  programs.run('Xtigervnc', programs.display, ...screen, '-rfbauth', password, '-SecurityTypes', 'VncAuth');
  await until(() => reachable(port));
}

const behindVnc = (port: number): string => `lib=libvnc.so\nip=127.0.0.1\nport=${port}`;

/** Not through the wrapper, which serves the machine's console alone. */
const xorg = '/usr/lib/xorg/Xorg';

const socketOf = ({ directory, display }: Programs): string => join(directory, `xrdp_display_${display.slice(1)}`);

async function startXorg(programs: Programs): Promise<void> {
  const log = ['-logfile', join(programs.directory, 'xorg.log')];
  programs.run(xorg, programs.display, '-config', 'xrdp/xorg.conf', '-noreset', '-nolisten', 'tcp', ...log);
  const listens = access.bind(undefined, socketOf(programs));
  await until(() =>
    listens().then(
      () => true,
      () => false,
    ),
  );
}

const behindXorg = (programs: Programs): string => `lib=libxup.so\nip=127.0.0.1\nport=${socketOf(programs)}\ncode=20`;

/** Starts the bridge. xrdp looks for it again until it is there. */
function bridge(programs: Programs): string {
  programs.run('xrdp-chansrv');
  return `chansrvport=${join(sockets, `xrdp_chansrv_socket_${programs.display.slice(1)}`)}`;
}

function configuration(options: {
  port: number;
  key: string;
  certificate: string;
  log: string;
  backend: string;
}): string {
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
autorun=desk
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

[desk]
name=desk
${options.backend}
username=na
password=ask
`;
}
