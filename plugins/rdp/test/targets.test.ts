import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Scope, type Resource } from '@postern/plugin-sdk';
import {
  fakeHost,
  fakeIdentity,
  loopback,
  needProgram,
  startSession,
  type FakeHost,
} from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { rdpClient } from '../src/client.js';
import { Desktop } from '../src/player/desktop.js';
import { rdp, type Rdp } from '../src/protocol.js';
import { closed, until } from './support/programs.js';
import { pixelsAt, Viewer } from './support/viewer.js';
import { ShadowDesktop, shadowPassword } from './support/shadow-desktop.js';
import { desktopColour, vncPassword, XrdpDesktop } from './support/xrdp-desktop.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';

interface Desk extends AsyncDisposable {
  readonly display: string;
  spec(): Record<string, unknown>;
}

interface Target {
  readonly start: () => Promise<Desk>;
  readonly login: string;
  readonly password: string;
  readonly security: string;
  /** Programs, each with the package that has it. */
  readonly needs: Readonly<Record<string, string>>;
}

const common = { xfreerdp: 'freerdp2-x11', Xvfb: 'xvfb', import: 'imagemagick', xsetroot: 'x11-xserver-utils' };

const targets: Readonly<Record<string, Target>> = {
  'xrdp with Xvnc': {
    start: () => XrdpDesktop.start({ backend: 'xvnc' }),
    password: vncPassword,
    login: 'na',
    security: 'tls',
    needs: { xrdp: 'xrdp', Xtigervnc: 'tigervnc-standalone-server', tigervncpasswd: 'tigervnc-tools' },
  },
  'xrdp with Xorg': {
    start: () => XrdpDesktop.start({ backend: 'xorg' }),
    password: 'nobody asks',
    login: 'na',
    security: 'tls',
    needs: { xrdp: 'xrdp', Xorg: 'xorgxrdp' },
  },
  'freerdp-shadow': {
    start: () => ShadowDesktop.start(),
    password: shadowPassword,
    login: 'shadow',
    security: 'nla',
    needs: { 'freerdp-shadow-cli': 'freerdp2-shadow-x11', 'winpr-hash': 'winpr-utils' },
  },
};

/** Points all over a screen of 800 by 600. */
const points = Array.from({ length: 48 }, (_, index) => [50 + (index % 8) * 100, 50 + Math.floor(index / 8) * 90]);

describe('desktops of several makes', function () {
  this.timeout(90_000);

  for (const [name, target] of Object.entries(targets))
    (full ? it : it.skip)(`${name} is shown and recorded to the pixel (full run)`, async function () {
      for (const [program, where] of Object.entries({ ...common, ...target.needs })) needProgram(this, program, where);
      await using desktop = await target.start();
      await using viewer = await Viewer.start(900 + (process.pid % 50));
      const host = await watched(desktop, viewer, target);
      const logged = host.events.find(({ type }) => type === 'rdp.login');
      assert.equal(logged?.fields['security'], target.security);
      const player = new Desktop();
      for (const entry of host.recordings[0]?.entries ?? []) if ('data' in entry) player.feed(entry.data);
      const { rgba, width } = player.screen;
      for (const [x = 0, y = 0] of points)
        assert.equal(Buffer.from(rgba).toString('hex', (y * width + x) * 4, (y * width + x) * 4 + 3), desktopColour);
    });
});

/** Shows a desktop on a display until both look alike, and resolves with what the session has left. */
async function watched(desktop: Desk, viewer: Viewer, { login, password }: Target): Promise<FakeHost<Rdp>> {
  const host = fakeHost({
    protocol: rdp,
    spec: desktop.spec(),
    allow: { logins: [login] },
    credentials: { secret: async () => password },
    identity: fakeIdentity({ principals: { rdp: [login] } }),
    alpn: 'rdp',
  });
  const agent = await plugin.agent();
  const scope = Scope.root();
  agent.bind?.(scope);
  let done: Promise<unknown> = Promise.resolve();
  const gate = await loopback((socket) => void (done = startSession(host, agent, socket, scope).done));
  const home = await mkdtemp(join(tmpdir(), 'postern-viewer-'));
  const client = xfreerdp(host.resource, login, { port: gate.port, env: { DISPLAY: viewer.display, HOME: home } });
  try {
    await until(async () => pixelsAt(await viewer.picture(), [[400, 300]])[0] === desktopColour, 40_000);
    assert.deepEqual(pixelsAt(await viewer.picture(), points), pixelsAt(await viewer.picture(desktop.display), points));
  } finally {
    client.kill('SIGKILL');
    await closed(client);
    await done;
    await gate.close();
    await rm(home, { recursive: true, force: true });
  }
  return host;
}

/** As `psh desktop connect` starts it. */
function xfreerdp(
  resource: Resource<Rdp>,
  login: string,
  { port, env }: { readonly port: number; readonly env: Readonly<Record<string, string>> },
): ChildProcess {
  const options = {
    options: {},
    args: ['/size:800x600', '-decorations'],
    local: { kind: 'port', host: '127.0.0.1', port },
  } as const;
  const invocation = rdpClient.connect?.({} as never, { resource, hostname: '', principals: [login] }, options);
  const { program, args } = invocation ?? assert.fail();
  return spawn(program, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
}
