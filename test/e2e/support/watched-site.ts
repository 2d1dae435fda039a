import { needProgram } from '@postern/plugin-sdk/testing';
import { untilClosed } from '../../../kernel/test/tunnels/port-fixture.js';
import { postgresPrograms } from '../../../plugins/postgres/test/support/postgres-server.js';
import { testLogin } from '../../../plugins/ssh/test/support/account.js';
import { until } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';
import { Canary } from './canary.js';
import { DatabaseSite } from './database.js';
import { SshClient } from './ssh-client.js';

/**
 * A cluster with resources of three kinds: `shop.postgres`, `box.ssh` and
 * `cache.redis`, whose server is not there. In it lives a session that must not
 * notice what others do to the cluster, and what they do is read in the log.
 */
export class WatchedSite implements AsyncDisposable {
  /** The account on `box` that `carol` may use. */
  login = '';
  #addresses = 0;
  #seen = 0;

  private constructor(
    readonly site: DatabaseSite,
    readonly ssh: SshClient,
    /** Carol, who may do everything. */
    readonly user: TestLogin,
    readonly canary: Canary,
  ) {}

  /** Skips the tests where a program is missing that they need. */
  static async start(context: Mocha.Context): Promise<WatchedSite> {
    needProgram(context, 'psql', 'postgresql-client');
    needProgram(context, 'ssh', 'openssh-client');
    if (postgresPrograms === undefined) needProgram(context, 'initdb', 'postgresql');
    const site = await DatabaseSite.start();
    const { cluster } = site;
    const { name: login } = await testLogin();
    await cluster.put({ kind: 'ssh', name: 'box', spec: {} });
    const nowhere = { host: '127.0.0.1', port: 1, tls: { mode: 'disable' }, auth: { method: 'none' } };
    await cluster.put({ kind: 'redis', name: 'cache', spec: nowhere });
    const everywhere = { labels: { '*': '*' } };
    const allow = {
      postgres: { ...everywhere, users: ['*'], databases: ['*'] },
      ssh: { ...everywhere, logins: [login] },
      redis: { ...everywhere, users: ['*'], commands: ['*'] },
    };
    await cluster.put({ kind: 'role', name: 'all', allow });
    await cluster.addUser('carol', { roles: ['all'] });
    const user = await cluster.login('carol');
    const canary = await Canary.open(site, await cluster.login('alice'));
    const world = new WatchedSite(site, await SshClient.create(cluster), user, canary);
    world.login = login;
    return world;
  }

  /** What was said until now is not of interest. */
  async forget(): Promise<void> {
    this.#seen = (await this.#outcomes()).length;
  }

  /** How connections and sessions began since then, or were refused: type and code of each. At least so many. */
  async said(count = 1): Promise<readonly (readonly [string, unknown])[]> {
    await until(async () => (await this.#outcomes()).length >= this.#seen + count);
    return (await this.#outcomes()).slice(this.#seen).map(({ type, fields }) => [type, fields['code']] as const);
  }

  /** An address that has not offended so far. */
  stranger(): string {
    return `10.9.8.${(this.#addresses += 1)}`;
  }

  /** Sends it from a new address, and resolves to all that is answered, as Latin-1. */
  async send(bytes: Buffer | string): Promise<string> {
    const socket = await this.site.cluster.open(this.stranger());
    const answer = untilClosed(socket);
    socket.write(bytes);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.canary[Symbol.asyncDispose]();
    await this.ssh[Symbol.asyncDispose]();
    await this.site[Symbol.asyncDispose]();
  }

  async #outcomes() {
    const events = await this.site.cluster.events({ types: ['session', 'connection'] });
    return events.filter(({ type }) => type !== 'session.end');
  }
}
