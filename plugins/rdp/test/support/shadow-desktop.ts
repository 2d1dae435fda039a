import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort, Programs, reachable, until } from './programs.js';
import { desktopColour } from './xrdp-desktop.js';

export const shadowPassword = 'Shadow-Pa55!';

/** The screen of an Xvfb, shared by FreeRDP's server, which lets nobody in but by NLA. */
export class ShadowDesktop implements AsyncDisposable {
  private constructor(
    private readonly programs: Programs,
    readonly port: number,
  ) {}

  static async start(): Promise<ShadowDesktop> {
    const port = await freePort();
    const programs = await Programs.at(200 + (port % 700));
    const desktop = new ShadowDesktop(programs, port);
    try {
      const { stdout } = await promisify(execFile)('winpr-hash', ['-u', 'shadow', '-p', shadowPassword, '-f', 'sam']);
      const sam = await programs.file('sam', `${stdout.trim()}\n`);
      programs.run('Xvfb', programs.display, '-screen', '0', '800x600x24', '-nolisten', 'tcp', '-noreset');
      // Fails until there is a display.
      await until(async () => {
        const [code] = (await once(programs.run('xsetroot', '-solid', `#${desktopColour}`), 'close')) as [number];
        return code === 0;
      });
      const address = [`/port:${port}`, '/bind-address:127.0.0.1'];
      programs.run('freerdp-shadow-cli', ...address, `/sam-file:${sam}`, '/sec:nla', '+auth');
      await until(() => reachable(port));
      return desktop;
    } catch (cause) {
      await desktop[Symbol.asyncDispose]();
      throw cause;
    }
  }

  get display(): string {
    return this.programs.display;
  }

  /** NLA binds the session to the certificate, whatever that is. */
  spec(): Record<string, unknown> {
    return {
      host: '127.0.0.1',
      port: this.port,
      security: 'nla',
      tls: { mode: 'require' },
      accounts: [{ login: 'shadow', secret: 'desktop' }],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.programs[Symbol.asyncDispose]();
  }
}
