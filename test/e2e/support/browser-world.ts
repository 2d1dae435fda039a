import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { acceptInvite, createUser, getInvite } from '@postern/kernel/api/contract';
import { standardPlugins } from '../../../config/src/standard.js';
import { totpCode } from '../../../kernel/src/identity/index.js';
import { Application } from '../../../plugins/https/test/support/application.js';
import { Authority } from '../../../plugins/kubernetes/test/support/authority.js';
import { TestCluster, testPassword } from '../../support/cluster.js';
import { Opened, startOrDispose } from '../../support/opened.js';
import { openChromium } from './chromium.js';
import { logIn } from './login-page.js';
import { OtherSite } from './other-site.js';
import { NginxApplication } from './web-application.js';
import { webCertificate } from './web-certificate.js';

const cluster = 'access.test';
const apps = 'apps.test';

export interface Programs {
  readonly chromium: string;
  readonly nginx: string;
}

/**
 * A cluster with web applications, and a browser that knows no other way to
 * them: `wiki` is an nginx; `live` and `shop` have WebSockets, events and large
 * bodies; `vault` is for bob alone.
 */
export class BrowserWorld implements AsyncDisposable {
  cluster!: TestCluster;
  browser!: Browser;
  nginx!: NginxApplication;
  live!: Application;
  shop!: Application;
  evil!: OtherSite;
  readonly #open = new Opened();

  static start(programs: Programs): Promise<BrowserWorld> {
    const world = new BrowserWorld();
    return startOrDispose(world, () => world.#start(programs));
  }

  /** At the cluster's own name. */
  url(path: string): string {
    return `https://${cluster}:${this.cluster.port}${path}`;
  }

  /** At the host of an application. */
  app(name: string, path: string): string {
    return `https://${name}.${apps}:${this.cluster.port}${path}`;
  }

  /** Closes a browser, and ends what goes on for it. */
  async leave(page: Page): Promise<void> {
    const cookies = await page.context().cookies(this.url('/'));
    const { web } = this.cluster.running.auth;
    for (const { name, value } of cookies) if (name === '__Host-postern') await web.logout(value, '127.0.0.1');
    await page.context().close();
  }

  /** A browser of somebody who has not been here. Closed by {@link leave}. */
  async person(): Promise<Page> {
    const context = await this.browser.newContext();
    context.setDefaultTimeout(40_000);
    return context.newPage();
  }

  /** Somebody who has logged in. */
  async loggedIn(user: string): Promise<Page> {
    const page = await this.person();
    await page.goto(this.url('/'));
    await logIn(page, user);
    await page.waitForURL(this.url('/web/'));
    return page;
  }

  /** Makes a user with an authenticator; resolves with what it shows. */
  async enrol(name: string, roles: readonly string[]): Promise<() => string> {
    const { admin, clock } = this.cluster;
    const { token } = await admin.call(createUser, { name, roles: [...roles], traits: {} });
    const { totp } = await admin.call(getInvite, { token });
    const show = (): string => totpCode(totp.secret, clock.now());
    await admin.call(acceptInvite, { token, password: testPassword, code: show() });
    await this.cluster.seen();
    // A code works once.
    clock.advance(60_000);
    return show;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open[Symbol.asyncDispose]();
  }

  async #start({ chromium, nginx }: Programs): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-browser-'));
    this.#open.defer(() => rm(directory, { recursive: true, force: true }));
    const authority = new Authority('browsers');
    this.#open.defer(() => authority[Symbol.dispose]());
    const web = await webCertificate(authority, directory, [cluster, `*.${apps}`]);
    this.nginx = this.#open.keep(await NginxApplication.start(nginx));
    this.live = this.#open.keep(await Application.start());
    this.shop = this.#open.keep(await Application.start());
    const evil = authority.issue('evil.test', ['DNS:evil.test']);
    const chain = evil.certificate + authority.certificate;
    this.evil = this.#open.keep(await OtherSite.start('evil.test', { certificate: chain, key: evil.key }));
    this.cluster = this.#open.keep(await this.#cluster({ apps_domain: apps, ...web }));
    this.browser = await openChromium(chromium, [authority.certificate]);
    this.#open.defer(() => this.browser.close());
  }

  #cluster(web: Readonly<Record<string, string>>): Promise<TestCluster> {
    const everything = { methods: ['*'], paths: ['*'] };
    const { host, port } = this.nginx;
    const inside = { labels: { env: 'test' } };
    return TestCluster.start({
      cluster,
      plugins: standardPlugins,
      configuration: { proxy: { web } },
      roles: [
        { name: 'staff', allow: { https: { labels: { env: 'test' }, ...everything } } },
        { name: 'keeper', allow: { https: { labels: { env: 'prod' }, ...everything } } },
      ],
      resources: [
        { kind: 'https', name: 'wiki', ...inside, spec: { host, port } },
        { kind: 'https', name: 'live', ...inside, spec: this.live.spec },
        { kind: 'https', name: 'shop', ...inside, spec: this.shop.spec },
        { kind: 'https', name: 'vault', labels: { env: 'prod' }, spec: { host, port } },
      ],
      users: { alice: { roles: ['staff'] }, amy: { roles: ['staff'] }, bob: { roles: ['keeper'] } },
    });
  }
}

/** Follows a link of the launcher into an application. */
export async function launch(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name, exact: true }).click();
  await page.waitForURL((url) => url.hostname === `${name}.${apps}`);
}

/** The cookie of this name that the browser would send to a URL. */
export async function cookieAt(context: BrowserContext, url: string, name: string) {
  const found = (await context.cookies(url)).find((cookie) => cookie.name === name);
  return found ?? assert.fail(`no cookie ${name} at ${url}`);
}
