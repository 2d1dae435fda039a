import assert from 'node:assert/strict';
import { fakeIdentity } from '@postern/plugin-sdk/testing';
import { stage } from '../support/stage.js';

describe('what a session sees', () => {
  it('is what its host says, and no more of it', async () => {
    const identity = fakeIdentity({ user: 'bob' });
    const running = stage(
      {
        serve: async (client, grant, context) => {
          const { host } = running;
          assert.equal(context.id, host.id);
          assert.equal(context.cluster, host.cluster);
          assert.equal(context.resource, host.resource);
          assert.equal(context.config, host.config);
          assert.equal(context.log, host.log);
          assert.equal(client.connection, host.connection);
          assert.equal(client.source, host.source);
          assert.equal(client.server, host.server);
          assert.equal(client.identity, identity);
          assert.equal(grant.identity, identity);
          assert.deepEqual(grant.ask, { topic: 'main' });
        },
      },
      { identity },
    );
    assert.deepEqual(await running.done, { kind: 'ended' });
  });

  it('has a signal that aborts at the end, so that nothing goes on behind it', async () => {
    let signal: AbortSignal | undefined;
    const running = stage({ serve: async (_client, _grant, context) => void (signal = context.signal) });
    await running.done;
    assert.equal(signal?.aborted, true);
  });

  it('keeps no listener on the signals of its host', async () => {
    const counted: string[] = [];
    const running = stage(
      {},
      {
        prepare: ({ signal }) => {
          const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
          signal.addEventListener = (...given: Parameters<typeof add>) => (counted.push('added'), add(...given));
          signal.removeEventListener = (...given: Parameters<typeof remove>) => (
            counted.push('removed'),
            remove(...given)
          );
        },
      },
    );
    await running.done;
    assert.deepEqual(counted, ['added', 'removed']);
  });
});
