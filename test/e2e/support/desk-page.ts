import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import rdp from '../../../plugins/rdp/src/index.js';
import { canBridge, vncPassword, XrdpDesktop } from '../../../plugins/rdp/test/support/xrdp-desktop.js';
import { Authority } from '../../../plugins/kubernetes/test/support/authority.js';
import { TestCluster } from '../../support/cluster.js';
import type { TestClock } from '../../support/clock.js';
import { Opened, startOrDispose } from '../../support/opened.js';
import { openChromium } from './chromium.js';
import { logIn } from './login-page.js';
import { webCertificate } from './web-certificate.js';

const cluster = 'access.test';

/** A cluster with one real desktop, and a browser. */
export class DeskPage implements AsyncDisposable {
  desktop!: XrdpDesktop;
  cluster!: TestCluster;
  browser!: Browser;
  readonly #open = new Opened();

  static start(chromium: string, clock?: TestClock): Promise<DeskPage> {
    const world = new DeskPage();
    return startOrDispose(world, () => world.#start(chromium, clock));
  }

  url(path: string): string {
    return `https://${cluster}:${this.cluster.port}${path}`;
  }

  /** The launcher of somebody who has logged in, in a window of the desktop's size and a bar of 48 pixels. */
  async launcher(user: string): Promise<Page> {
    const context = await this.browser.newContext({ viewport: { width: 800, height: 648 } });
    context.setDefaultTimeout(30_000);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await context.newPage();
    await page.goto(this.url('/'));
    await logIn(page, user);
    await page.waitForURL(this.url('/web/'));
    return page;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open[Symbol.asyncDispose]();
  }

  async #start(chromium: string, clock: TestClock | undefined): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-desk-page-'));
    this.#open.defer(() => rm(directory, { recursive: true, force: true }));
    const secret = join(directory, 'secret');
    await writeFile(secret, `${vncPassword}\n`, { mode: 0o600 });
    const authority = new Authority('browsers');
    this.#open.defer(() => authority[Symbol.dispose]());
    const web = await webCertificate(authority, directory, [cluster]);
    this.desktop = this.#open.keep(await XrdpDesktop.start({ bridged: await canBridge() }));
    this.cluster = this.#open.keep(await this.#cluster({ web, secret, clock }));
    this.browser = await openChromium(chromium, [authority.certificate]);
    this.#open.defer(() => this.browser.close());
  }

  #cluster(options: { web: object; secret: string; clock: TestClock | undefined }): Promise<TestCluster> {
    const { web, secret, clock } = options;
    const office = { labels: { env: 'office' } };
    return TestCluster.start({
      cluster,
      plugins: [rdp],
      configuration: { proxy: { web }, agent: { secrets: { desktop: { file: secret } } } },
      ...(clock && { clock }),
      roles: [
        { name: 'office', allow: { rdp: { ...office, logins: ['na'] } } },
        { name: 'clerk', allow: { rdp: { ...office, logins: ['na'], clipboard: true } } },
        { name: 'guest', allow: { rdp: { ...office, logins: ['nobody'] } } },
      ],
      resources: [
        { kind: 'rdp', name: 'desk', ...office, spec: this.desktop.spec() },
        // Nobody listens there.
        { kind: 'rdp', name: 'gone', ...office, spec: { ...this.desktop.spec(), port: 9 } },
      ],
      users: { alice: { roles: ['office'] }, bob: { roles: ['guest'] }, dana: { roles: ['clerk'] } },
    });
  }
}
