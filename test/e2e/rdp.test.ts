import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import { needProgram } from '@postern/plugin-sdk/testing';
import rdp from '../../plugins/rdp/src/index.js';
import { closed, until } from '../../plugins/rdp/test/support/programs.js';
import { canBridge, vncPassword, XrdpDesktop } from '../../plugins/rdp/test/support/xrdp-desktop.js';
import { TestCluster, testPassword } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import {
  copied,
  differences,
  distance,
  lastFrameOf,
  pasted,
  pixelsOf,
  pixelsOfFile,
  screenshot,
  testCard,
} from '../support/desktop.js';
import { skipWithout } from '../support/skip-without.js';
import { viewing, type Viewing } from './support/xfreerdp.js';
import { setTimeout as sleep } from 'node:timers/promises';

describe('xfreerdp through a cluster', function () {
  this.timeout(180_000);
  let desktop: XrdpDesktop | undefined;
  let cluster: TestCluster;
  let directory: string;
  let viewer: ChildProcess;
  let bridged = false;
  let alice: TestLogin;
  const others = new Map<string, TestLogin>();
  const display = `:${950 + (process.pid % 40)}`;

  before(async function () {
    for (const [program, name] of [
      ['xfreerdp', 'freerdp2-x11'],
      ['xrdp', 'xrdp'],
      ['Xtigervnc', 'tigervnc-standalone-server'],
      ['tigervncpasswd', 'tigervnc-tools'],
      ['xsetroot', 'x11-xserver-utils'],
      ['Xvfb', 'xvfb'],
      ['import', 'imagemagick'],
      ['xclip', 'xclip'],
      ['convert', 'imagemagick'],
      ['display', 'imagemagick'],
    ] as const)
      needProgram(this, program, name);
    directory = await mkdtemp(join(tmpdir(), 'postern-rdp-e2e-'));
    const secret = join(directory, 'secret');
    await writeFile(secret, `${vncPassword}\n`, { mode: 0o600 });
    bridged = await canBridge();
    desktop = await XrdpDesktop.start({ bridged });
    cluster = await TestCluster.start({
      plugins: [rdp],
      configuration: { agent: { secrets: { desktop: { file: secret } } } },
      roles: [
        { name: 'office', allow: { rdp: { labels: { env: 'office' }, logins: ['na'] } } },
        { name: 'clerk', allow: { rdp: { labels: { env: 'office' }, logins: ['na'], clipboard: true } } },
        { name: 'guest', allow: { rdp: { labels: { '*': '*' }, logins: ['nobody'] } } },
        {
          name: 'brief',
          allow: { rdp: { labels: { env: 'office' }, logins: ['na'] } },
          options: { max_certificate_ttl: '10m' },
        },
        { name: 'workshop', allow: { rdp: { labels: { env: 'workshop' }, logins: ['na'] } } },
      ],
      resources: [{ kind: 'rdp', name: 'desk', labels: { env: 'office' }, spec: desktop.spec() }],
      users: {
        alice: { roles: ['office', 'auditor'] },
        bob: { roles: ['guest'] },
        carol: { roles: ['workshop'] },
        dana: { roles: ['clerk'] },
        erin: { roles: ['brief'] },
      },
    });
    alice = await cluster.login('alice');
    for (const user of ['bob', 'carol', 'dana', 'erin']) others.set(user, await cluster.login(user));
    viewer = spawn('Xvfb', [display, '-screen', '0', '900x700x24', '-nolisten', 'tcp'], { stdio: 'ignore' });
    await until(async () => (await screenshot(display)) !== undefined);
  });
  after(async () => {
    if (viewer) {
      viewer.kill();
      await closed(viewer);
    }
    await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
    await desktop?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  afterEach(async () => {
    for (const { session = '' } of await cluster.events({ types: ['session.start'] }))
      await cluster.event({ session, types: ['session.end'] });
  });

  /** True once the desktop's colour is on the display. Seldom asked: a screenshot stops all its clients. */
  async function shown(): Promise<boolean> {
    await sleep(500);
    return pixelsOf(await screenshot(display)).at(400, 500) === '335577';
  }

  /** Draws the test card on the desktop, and waits until the viewer shows all of it. */
  async function drawn(): Promise<void> {
    const { programs } = desktop ?? assert.fail();
    const card = await programs.file('card.ppm', testCard(800, 600));
    await closed(programs.run('display', '-window', 'root', card));
    // Its last row has colours that the desktop had nowhere before.
    const wanted = pixelsOf(testCard(800, 600)).at(400, 599);
    await until(async () => {
      await sleep(500);
      const { rgb } = pixelsOf(await screenshot(display));
      return rgb.includes(Buffer.from(wanted, 'hex'));
    }, 60_000);
  }

  const connected = (login: TestLogin): Promise<Viewing> =>
    viewing(cluster, login, { spec: desktop?.spec() ?? {}, display, home: directory });

  it('shows the desktop, whose password only the agent knows', async () => {
    const { stop, output } = await connected(alice);
    try {
      await until(shown, 60_000);
    } catch (cause) {
      throw new Error(output(), { cause });
    } finally {
      await stop();
    }
    const { fields } = await cluster.event({ types: ['rdp.login'] });
    assert.deepEqual([fields['login'], fields['client'], fields['security']], ['na', 'native', 'tls']);
  });

  for (const [user, by] of [
    ['bob', 'his account'],
    ['carol', 'the label of the desktop'],
  ] as const)
    it(`tells ${user} in the client's words that ${by} is none of those that a role allows`, async () => {
      const { child, output, stop } = await connected(others.get(user) ?? assert.fail());
      await closed(child);
      await stop();
      assert.match(output(), /INSUFFICIENT_PRIVILEGES/);
      await cluster.event({ user, types: ['session.denied'], resource: { kind: 'rdp', name: 'desk' } });
    });

  it('carries text in both directions for whom a role allows the clipboard, and tells of it', async function () {
    if (!bridged)
      skipWithout(this, {
        name: 'the bridge to the clipboard of xrdp',
        remedy: 'root alone can make its directory',
        obtainable: process.getuid?.() === 0,
      });
    const own = desktop?.display ?? assert.fail();
    const { output, stop } = await connected(others.get('dana') ?? assert.fail());
    try {
      await until(shown, 60_000);
      for (const [text, from, to] of [
        ['from the desktop: Grüße', own, display],
        ['from the user: Grüße', display, own],
      ] as const) {
        await using _owner = copied(text, from);
        await until(async () => (await pasted(to)) === text, 60_000);
      }
    } catch (cause) {
      throw new Error(output(), { cause });
    } finally {
      await stop();
    }
    for (const text of ['to_desktop', 'from_desktop'])
      await cluster.event({ user: 'dana', types: ['rdp.clipboard'], text });
  });

  it('leaves the clipboard out for whom no role allows it', async () => {
    const own = desktop?.display ?? assert.fail();
    const { stop } = await connected(alice);
    try {
      await until(shown, 60_000);
      await using _own = copied('kept on the desktop', own);
      await using _user = copied('kept by the user', display);
      await until(async () => (await pasted(own)) !== undefined && (await pasted(display)) !== undefined, 60_000);
      assert.deepEqual([await pasted(own), await pasted(display)], ['kept on the desktop', 'kept by the user']);
    } finally {
      await stop();
    }
    await cluster.event({ user: 'alice', types: ['session.denied'], text: 'clipboard' });
    const told = await cluster.events({ user: 'alice', types: ['rdp.channel', 'rdp.clipboard'], text: 'clip' });
    assert.deepEqual(told, []);
  });

  it('is cut by a lock, and says by whom', async () => {
    const { child, output, stop } = await connected(alice);
    await until(shown, 60_000);
    const { id } = await cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'laptop lost' });
    await closed(child);
    await stop();
    assert.match(output(), /RPC_INITIATED_DISCONNECT|administrative tool/);
    await cluster.admin.call(deleteLock, { id });
    await cluster.seen();
  });

  it('ends when the certificate does, and says that fresh credentials are needed', async function () {
    this.timeout(240_000);
    const erin = others.get('erin') ?? assert.fail();
    const { clock } = cluster;
    const expires = new Date(new X509Certificate(erin.certificate).validTo).getTime();
    let said: string | undefined;
    // The agent's own certificate must not come from the future.
    (await cluster.connect('rdp', 'desk', erin, { alpn: ['rdp'] })).destroy();
    // A machine that is too slow for the first gets more time to connect.
    for (const leftMs of [8000, 25_000, 80_000]) {
      const moved = expires - clock.now().getTime() - leftMs;
      clock.advance(moved);
      const { child, output, stop } = await connected(erin);
      const seen = await Promise.race([until(shown, leftMs).then(() => true), closed(child).then(() => false)]);
      if (seen) await closed(child);
      await stop();
      clock.advance(-moved);
      if (seen) said = output();
      if (said !== undefined) break;
    }
    assert.match(said ?? '', /FRESH_CREDENTIALS_REQUIRED/);
    const end = await cluster.event({ user: 'erin', types: ['session.end'] });
    assert.match(JSON.stringify(end.fields), /expired/);
  });

  it('is listed and shown by psh, which starts xfreerdp behind a port of its own', async () => {
    const home = await mkdtemp(join(directory, 'home-'));
    const psh = (...args: readonly string[]): ChildProcess =>
      spawn(process.execPath, ['--import=tsx', '--conditions=postern:source', program, ...args], {
        env: { ...process.env, HOME: home, DISPLAY: display, NO_COLOR: '1' },
        stdio: 'pipe',
        // The terminal would tell the client as well.
        detached: true,
      });
    const address = `127.0.0.1:${cluster.port}`;
    const login = psh('login', `--proxy=${address}`, `--ca-pin=${cluster.pin}`, '--user=alice');
    login.stdin?.end(`${testPassword}\n`);
    await printed(login);
    assert.match(await printed(psh('desktop', 'ls')), /^rdp +desk +na +env=office /m);
    const connecting = psh('desktop', 'connect', 'desk', '--', '/size:800x600');
    try {
      await until(shown, 90_000);
      await drawn();
    } finally {
      process.kill(-(connecting.pid ?? assert.fail()), 'SIGTERM');
      await closed(connecting);
    }
    const { session = '' } =
      (await cluster.events({ user: 'alice', types: ['session.start'] })).at(-1) ?? assert.fail();
    await cluster.event({ session, types: ['session.end'] });
    const picture = join(home, 'last.png');
    await printed(psh('recordings', 'export', session, '--format=png', `--out=${picture}`));
    const truth = pixelsOf(testCard(800, 600));
    assert.equal(differences(await pixelsOfFile(picture), truth), 0);
    if (process.env['POSTERN_TEST_FULL'] === '1') {
      const film = join(home, 'all.mp4');
      await printed(psh('recordings', 'export', session, '--format=mp4', `--out=${film}`));
      assert.ok(distance(await lastFrameOf(film), truth) < 12);
    }
    const proxy = psh('proxy', 'rdp', 'desk');
    const [said] = (await once(proxy.stdout ?? assert.fail(), 'data')) as [Buffer];
    assert.match(String(said), /^desk\.rdp\.cluster\.test is reached by 127\.0\.0\.1:\d+, by you alone/);
    proxy.kill('SIGINT');
    await closed(proxy);
  });
});

/** The user's program from its sources. */
const program = fileURLToPath(new URL('../../config/src/psh.ts', import.meta.url));

/** All that a program prints, which must end well. */
async function printed(child: ChildProcess): Promise<string> {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (text += String(data)));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0, text);
  return text;
}
