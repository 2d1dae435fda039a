import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TestCluster } from '../../../../test/support/cluster.js';
import { TestClock } from '../../../../test/support/clock.js';
import { TestAuthority } from '../../tunnels/test-authority.js';
import { enter, home } from '../sessions/web-world.js';
import { assetDirectory, pagesPlugin, Told } from './page-protocol.js';
import { ask, cookieIn, head, locationIn, type RawAnswer } from './raw-browser.js';

export const clusterName = 'cluster.test';
export const apps = 'apps.cluster.test';
/** The host of an application that ann may use. */
export const app = `wiki.${apps}`;

/** A certificate for the cluster and its applications, in two files. */
export async function certify(directory: string, name = 'browsers'): Promise<string> {
  const made = await (await TestAuthority.create(name)).issue(clusterName, [clusterName, `*.${apps}`]);
  await writeFile(join(directory, 'web.pem'), made.certificate);
  await writeFile(join(directory, 'web.key'), made.key, { mode: 0o600 });
  return made.certificate;
}

/** Somebody who is logged in. */
export interface Visitor {
  /** The value of the cookie at the cluster's own name. */
  readonly session: string;
  /** The `Cookie` header for {@link app}. */
  readonly cookie: string;
  leave(): Promise<void>;
}

/** A cluster with the applications `wiki` and `shop`, which ann may use, and `books`, which she may not. */
export class AppWorld implements AsyncDisposable {
  private constructor(
    readonly cluster: TestCluster,
    /** The files of the plugin, and the certificate for browsers. */
    readonly files: string,
    readonly clock: TestClock,
    readonly told: Told,
  ) {}

  static async start(): Promise<AppWorld> {
    const files = assetDirectory();
    await certify(files);
    const clock = new TestClock();
    const told = new Told();
    const cluster = await TestCluster.start({
      clock,
      plugins: [pagesPlugin(files, told)],
      configuration: {
        proxy: { web: { apps_domain: apps, certificate: join(files, 'web.pem'), key: join(files, 'web.key') } },
      },
      roles: [{ name: 'reader', allow: { pages: { labels: { env: 'test' }, any: true } } }],
      resources: [
        { kind: 'pages', name: 'wiki', labels: { env: 'test' }, spec: {} },
        { kind: 'pages', name: 'shop', labels: { env: 'test' }, spec: {} },
        { kind: 'pages', name: 'books', labels: { env: 'prod' }, spec: {} },
      ],
      users: { ann: { roles: ['reader'] } },
    });
    return new AppWorld(cluster, files, clock, told);
  }

  /** A request at the host of an application. */
  at(host: string, path: string, fields: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    return ask(this.cluster, host, head(`GET ${path}`, { host, accept: 'text/html', ...fields }));
  }

  /** A request at the cluster's own name. */
  main(path: string, fields: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    return ask(this.cluster, clusterName, head(`GET ${path}`, { host: clusterName, ...fields }));
  }

  /** Goes the whole way to an application; resolves with its cookie and what happened on the way. */
  async visit(session: string, host = app, path = '/a?b=c') {
    const begun = await this.at(host, path);
    const nonce = cookieIn(begun, '__Host-postern-nonce') ?? '';
    const launch = new URL(locationIn(begun));
    const sent = await this.main(`${launch.pathname}${launch.search}`, { cookie: `__Host-postern=${session}` });
    const back = locationIn(sent) === '' ? '' : locationIn(sent).slice(`https://${host}`.length);
    const entered = back ? await this.at(host, back, { cookie: `__Host-postern-nonce=${nonce}` }) : undefined;
    return { launch, sent, back, nonce, entered, cookie: (entered && cookieIn(entered, '__Host-postern-app')) ?? '' };
  }

  /** Logs somebody in, and at {@link app}. */
  async enter(user: string): Promise<Visitor> {
    const session = await enter(this.cluster, user);
    const { cookie } = await this.visit(session);
    const leave = (): Promise<void> => this.cluster.running.auth.web.logout(session, home);
    return { session, cookie: `__Host-postern-app=${cookie}`, leave };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await rm(this.files, { recursive: true, force: true });
  }
}
