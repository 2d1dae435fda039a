import assert from 'node:assert/strict';
import { PosternError, write } from '@postern/plugin-sdk';
import { fakeIdentity } from '@postern/plugin-sdk/testing';
import { text } from '../support/relayed.js';
import { locked, paths } from '../support/session-paths.js';
import { never, stage } from '../support/stage.js';

/** What becomes of a session that rejects with each of these. */
const codes = {
  access_denied: ['refused', 'access_denied'],
  limit_exceeded: ['refused', 'limit_exceeded'],
  protocol_violation: ['refused', 'access_denied'],
  mfa_required: ['refused', 'mfa_required'],
  locked: ['refused', 'locked'],
  expired: ['refused', 'expired'],
  not_found: ['refused', 'not_found'],
  unauthenticated: ['refused', 'unauthenticated'],
  upstream_unreachable: ['failed', 'unavailable'],
  upstream_auth: ['failed', 'unavailable'],
  audit_unavailable: ['failed', 'unavailable'],
  timeout: ['failed', 'unavailable'],
  aborted: ['failed', 'unavailable'],
  internal: ['failed', 'internal'],
} as const;

describe('startSession', () => {
  for (const path of paths)
    it(`keeps the order for ${path.name}`, async () => {
      const running = stage(path.script, path.options);
      const told = text(running.client);
      path.during?.(running);
      const outcome = await running.done;
      assert.deepEqual(running.steps, path.steps);
      assert.equal(outcome.kind, path.outcome);
      assert.deepEqual(
        running.host.events.map(({ type }) => type),
        path.events,
      );
      assert.equal(await told, path.told ?? '');
      assert.ok(running.near.destroyed, 'the client’s stream is still open');
    });

  for (const [code, [kind, denial]] of Object.entries(codes))
    it(`tells the client ${denial} when a session rejects with ${code}`, async () => {
      const running = stage({
        serve: () => Promise.reject(new PosternError(code as keyof typeof codes, 'operators only')),
      });
      const told = text(running.client);
      const outcome = await running.done;
      assert.deepEqual(running.steps, ['open', 'admit', 'serve', `refuse ${denial}`, `end ${kind}`]);
      assert.equal(outcome.kind, kind);
      assert.equal(await told, `no: ${code.replaceAll('_', ' ')}`);
    });

  it('asks for the identity that the plugin verified, and serves whoever was admitted', async () => {
    const bob = fakeIdentity({ user: 'bob' });
    const eve = fakeIdentity({ user: 'eve' });
    const users: (string | undefined)[] = [];
    let later = (): void => {};
    const running = stage(
      {
        async open(client) {
          await client.verify({ kind: 'openssh-certificate', blob: Buffer.from('bob') });
          later = () => void client.verify({ kind: 'openssh-certificate', blob: Buffer.from('eve') });
          return { topic: 'main' };
        },
        async serve(client, grant) {
          users.push(
            client.identity?.user,
            grant.identity.user,
            (await grant.require({ topic: 'more' })).identity.user,
          );
        },
      },
      {
        identity: null,
        verify: async ({ blob }) => (blob.toString() === 'bob' ? bob : eve),
        prepare: (host) => {
          const admit = host.admit.bind(host);
          host.admit = async (identity, ask) => {
            users.push(identity?.user);
            later();
            return admit(identity, ask);
          };
        },
      },
    );
    assert.equal((await running.done).kind, 'ended');
    assert.deepEqual(users, ['bob', 'eve', 'bob', 'bob']);
  });

  it('destroys the client and reports a failure where the session cannot even be made', async () => {
    const agent = {
      Session: class {
        constructor() {
          throw new Error('no such binding');
        }
      } as never,
    };
    const running = stage({}, { agent });
    assert.equal((await running.done).kind, 'failed');
    assert.ok(running.near.destroyed);
    assert.deepEqual(running.steps, []);
  });

  it('survives a session whose disposal fails, and says so to the operator', async () => {
    class Stubborn {
      open = async () => ({ topic: 'main' });
      serve = async () => {};
      refuse = async () => {};
      async [Symbol.asyncDispose](): Promise<void> {
        throw new Error('cannot close');
      }
    }
    const running = stage({}, { agent: { Session: Stubborn } });
    assert.equal((await running.done).kind, 'ended');
    assert.ok(running.host.logs.some(({ level, message }) => level === 'error' && /disposed/.test(message)));
  });

  it('hands over messages from other connections, and ignores them where nobody listens', async () => {
    const received: string[] = [];
    class Listening {
      open = async () => ({ topic: 'main' });
      serve = never;
      refuse = async () => {};
      async signal(payload: Buffer): Promise<void> {
        received.push(payload.toString());
      }
    }
    const running = stage({}, { agent: { Session: Listening } });
    await running.signal(Buffer.from('cancel'));
    assert.deepEqual(received, ['cancel']);
    running.host.cut(locked);
    await running.done;
    const deaf = stage();
    await deaf.signal(Buffer.from('cancel'));
    await deaf.done;
  });

  it('delivers what was written last before it closes the client', async () => {
    const words = 'x'.repeat(100_000);
    const running = stage({ serve: async ({ stream }) => write(stream, words) }, { limits: { graceMs: 1000 } });
    assert.equal((await text(running.client)).length, words.length);
    assert.equal((await running.done).kind, 'ended');
  });
});
