import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';
import type { DatabaseSite } from './database.js';

/** A psql that stays, and answers whenever it is asked. */
export class Canary implements AsyncDisposable {
  #printed = '';
  #asked = 0;

  private constructor(private readonly child: ReturnType<typeof start>) {
    child.stdout.on('data', (text) => (this.#printed += String(text)));
    child.stderr.on('data', (text) => (this.#printed += String(text)));
  }

  static async open(site: DatabaseSite, login: TestLogin): Promise<Canary> {
    const canary = new Canary(start(await site.connection(login), site.home));
    await canary.sing();
    return canary;
  }

  /** Fails unless the session is undisturbed. */
  async sing(): Promise<void> {
    const song = `tweet-${(this.#asked += 1)}`;
    this.child.stdin.write(`select '${song}';\n`);
    await until(() => this.#printed.includes(`${song}\n`) || this.child.exitCode !== null);
    assert.equal(this.child.exitCode, null, this.#printed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.stdin.end();
    await closed;
  }
}

const start = (connection: string, home: string) =>
  spawn('psql', ['-XAtq', connection], { env: { ...process.env, HOME: home }, stdio: 'pipe' });
