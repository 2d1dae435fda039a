import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { AuthorityKind } from '@postern/kernel/certificates';
import { getAuthority, rotateAuthority } from '@postern/kernel/api/contract';
import { until } from '../support/cluster.js';
import { SshClient } from './support/ssh-client.js';
import { WatchedSite } from './support/watched-site.js';

/** A program of a user that stays, and answers a line with a line. */
interface Held extends AsyncDisposable {
  ask(line: string): Promise<string | undefined>;
}

/** Somebody who is logged in. */
interface Person extends AsyncDisposable {
  shell(): Promise<Held>;
  database(): Promise<Held>;
  /** What ssh and psql say to somebody who comes. */
  tries(): Promise<readonly string[]>;
}

function hold(program: string, args: readonly string[]): Held {
  const child = spawn(program, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`);
      const answer = await lines.next();
      return answer.done === true ? undefined : answer.value;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(child, 'close');
      child.stdin.end();
      await closed;
    },
  };
}

describe('the rotation of the authorities under ssh and psql', function () {
  this.timeout(120_000);
  let world: WatchedSite;
  let users = 0;
  before(async function () {
    world = await WatchedSite.start(this);
  });
  after(() => (world as WatchedSite | undefined)?.[Symbol.asyncDispose]());

  const steps = ['start', 'advance', 'advance', 'advance'] as const;

  /** Takes a step, whatever is in the way; resolves with the phase once everything has followed. */
  async function take(kind: AuthorityKind, step: (typeof steps)[number]): Promise<string> {
    const { admin, running } = world.site.cluster;
    const { phase } = await admin.call(rotateAuthority, { kind, step, force: step === 'advance' });
    await until(() => running.state.authorities.lagging.length === 0);
    return phase;
  }

  /** Somebody who logs in now, and knows what that brings. */
  async function newcomer(): Promise<Person> {
    // Each is somebody else: nobody may log in as often as that.
    const user = `user${(users += 1)}`;
    await world.site.cluster.addUser(user, { roles: ['all'] });
    const login = await world.site.cluster.login(user);
    const ssh = await SshClient.create(world.site.cluster);
    const credential = { key: login.sshKey, certificate: login.sshCertificate };
    const to = { login: world.login, resource: 'box' };
    const authorities = login.authorities.host;
    return {
      shell: async () => hold('ssh', [...(await ssh.arguments(credential, to)), 'cat']),
      database: async () => hold('psql', ['-XAtq', await world.site.connection(login, { authorities })]),
      tries: async () => {
        const shell = await ssh.run(credential, to, 'echo shell');
        const database = await world.site.psql(login, "select 'database'", { authorities });
        return [shell.stdout || shell.stderr, database.stdout || database.stderr];
      },
      [Symbol.asyncDispose]: () => ssh[Symbol.asyncDispose](),
    };
  }

  async function letIn(phase: string): Promise<void> {
    await using other = await newcomer();
    assert.deepEqual(await other.tries(), ['shell\n', 'database\n'], phase);
  }

  for (const kind of ['user', 'host'] as const)
    it(`of ${kind}: what is open stays open through every phase, and whoever comes is let in`, async () => {
      await using early = await newcomer();
      await using shell = await early.shell();
      await using database = await early.database();
      for (const step of steps) {
        const phase = await take(kind, step);
        assert.equal(await shell.ask(phase), phase);
        assert.equal(await database.ask(`select '${phase}';`), phase);
        await letIn(phase);
      }
      // What the old key certified, or what trusts it alone, is of no use any more.
      const [denied = '', refused = ''] = await early.tries();
      assert.match(denied, kind === 'user' ? /Permission denied/ : /Host key verification failed/);
      assert.match(refused, kind === 'user' ? /FATAL: .*certificate/ : /certificate verify failed/);
    });

  it('of db_client: the database lets the agent in by either key, once it trusts both', async () => {
    await using early = await newcomer();
    await using database = await early.database();
    for (const step of steps) {
      const phase = await take('db_client', step);
      const { x509 } = await world.site.cluster.admin.call(getAuthority, { kind: 'db_client' });
      await world.site.database.trustClients(x509.join(''));
      assert.equal(await database.ask(`select '${phase}';`), phase);
      await letIn(phase);
    }
  });
});
