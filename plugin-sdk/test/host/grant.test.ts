import assert from 'node:assert/strict';
import { PosternError, relay, type Grant } from '@postern/plugin-sdk';
import { rejectsWith, turns } from '../support/relayed.js';
import { mainEndpoint, never, sideEndpoint, stage, type Notes, type Stage } from '../support/stage.js';

const both = { allow: { topics: ['main', 'side'] } };

/** Runs this as the whole of a session, and fails where it does. */
async function serving(
  act: (grant: Grant<Notes>) => Promise<void>,
  options: Parameters<typeof stage>[1] = both,
): Promise<Stage> {
  const running = stage({ serve: (_client, grant) => act(grant) }, options);
  const outcome = await running.done;
  if (outcome.kind === 'failed') throw outcome.error;
  return running;
}

describe('a grant', () => {
  it('dials the first endpoint of its ask', async () => {
    const { host } = await serving(async (grant) => void (await grant.dial()));
    assert.deepEqual(
      host.dialled.map(({ endpoint }) => endpoint),
      [mainEndpoint],
    );
  });

  it('dials an endpoint that the declaration names', async () => {
    const { host } = await serving(async (grant) => void (await grant.dial({ ...mainEndpoint })));
    assert.equal(host.dialled.length, 1);
  });

  for (const endpoint of [sideEndpoint, { host: '10.0.0.1', port: 22 }, { host: mainEndpoint.host, port: 9 }])
    it(`does not dial ${endpoint.host}:${endpoint.port}, which its ask does not name`, async () => {
      const { host } = await serving((grant) => rejectsWith('access_denied', grant.dial(endpoint)));
      assert.equal(host.dialled.length, 0);
    });

  it('for a later ask reaches the endpoints of that ask and no others', async () => {
    const { host } = await serving(async (grant) => {
      const side = await grant.require({ topic: 'side' });
      assert.deepEqual(side.ask, { topic: 'side' });
      await side.dial();
      await side.dial(sideEndpoint);
      await rejectsWith('access_denied', side.dial(mainEndpoint));
      await rejectsWith('access_denied', grant.dial(sideEndpoint));
    });
    assert.deepEqual(
      host.dialled.map(({ endpoint }) => endpoint),
      [sideEndpoint, sideEndpoint],
    );
  });

  it('is not given for an ask that is denied, which was recorded, and the session goes on', async () => {
    const { host } = await serving(async (grant) => {
      await rejectsWith('access_denied', grant.require({ topic: 'forbidden' }));
      await grant.require({ topic: 'side' });
    });
    assert.deepEqual(
      host.events.map(({ type, fields }) => [type, fields['ask']]),
      [
        ['session.start', { topic: 'main' }],
        ['session.denied', { topic: 'forbidden' }],
        ['session.end', undefined],
      ],
    );
  });

  it('is not given for nonsense, which nobody is asked about', async () => {
    const { host } = await serving(async (grant) => {
      await rejectsWith('invalid_argument', grant.require({ topic: 'x'.repeat(30) }));
      await rejectsWith('invalid_argument', grant.require({ topic: 'main', verb: 'all' } as never));
      await rejectsWith('invalid_argument', grant.require(undefined as never));
    });
    assert.equal(host.asks.length, 1);
  });

  it('tells the client why a later ask was denied', async () => {
    await serving(async (grant) => {
      const cause = await grant.require({ topic: 'forbidden' }).catch((refused: unknown) => refused);
      assert.ok(PosternError.is(cause));
      assert.equal(cause.publicMessage, 'access denied');
    });
  });

  it('fails closed where a later ask cannot be decided', async () => {
    await serving((grant) => rejectsWith('unavailable', grant.require({ topic: 'side' })), {
      ...both,
      prepare: (host) => (host.decide = () => Promise.reject(new PosternError('unavailable', 'store is down'))),
    });
  });

  it('lends credentials of its own host', async () => {
    const { host } = await serving(async (grant) => {
      assert.match(await grant.credentials.secret('password'), /canary/);
      assert.match((await grant.credentials.tls('bob')).key, /canary/);
      assert.match((await grant.credentials.openSsh('root')).key, /canary/);
      assert.match(await grant.credentials.assertion('app'), /canary/);
    });
    assert.equal(host.secrets.size, 4);
  });

  it('passes on the failure of a dial', async () => {
    const unreachable = new PosternError('upstream_unreachable', 'connection refused');
    await serving((grant) => rejectsWith('upstream_unreachable', grant.dial()), {
      dial: () => Promise.reject(unreachable),
    });
  });
});

describe('connections to the resource', () => {
  it('are destroyed at the end of the session, all of them', async () => {
    const { upstreams, host } = await serving(async (grant) => {
      await Promise.all([grant.dial(), grant.dial(), grant.dial()]);
    });
    assert.equal(upstreams.length, 3);
    assert.ok(host.dialled.every(({ stream }) => stream.destroyed));
  });

  it('are destroyed before the end is recorded', async () => {
    const running = stage(
      { serve: async (_client, grant) => void (await grant.dial()) },
      {
        prepare: (host) => {
          const end = host.end.bind(host);
          host.end = async (outcome) => {
            assert.ok(host.dialled[0]?.stream.destroyed);
            return end(outcome);
          };
        },
      },
    );
    await running.done;
    assert.deepEqual(running.steps.at(-1), 'end ended');
  });

  it('cannot be opened by a session that ignored its end', async () => {
    let late: Grant<Notes> | undefined;
    const running = stage({
      serve: async (_client, grant) => {
        late = grant;
        await never();
      },
    });
    await turns();
    running.host.cut({ code: 'locked', message: 'locked' });
    assert.equal((await running.done).kind, 'cut');
    await rejectsWith('aborted', late!.dial());
    await rejectsWith('aborted', late!.require({ topic: 'more' }));
    assert.equal(running.host.dialled.length, 0);
  });

  it('that were being opened when the session ended are closed at once', async () => {
    let connected = (): void => {};
    const running = stage(
      { serve: async (_client, grant) => void (await grant.dial()) },
      {
        prepare: (host) => {
          const dial = host.dial.bind(host);
          host.dial = async (endpoint) => {
            await new Promise<void>((resolve) => (connected = resolve));
            return dial(endpoint);
          };
        },
      },
    );
    await turns();
    running.host.cut({ code: 'locked', message: 'locked' });
    await running.done;
    connected();
    await turns();
    assert.ok(running.host.dialled[0]?.stream.destroyed);
  });

  it('never make an error an uncaught one, even when nobody listens', async () => {
    const running = stage({
      serve: async (_client, grant) => {
        await grant.dial();
        await never();
      },
    });
    while (running.upstreams.length === 0) await turns(1);
    running.host.dialled[0]?.break();
    await turns();
    running.host.cut({ code: 'locked', message: 'locked' });
    assert.equal((await running.done).kind, 'cut');
  });

  it('end with a session that relays when it is cut', async () => {
    const running = stage({
      serve: async ({ stream }, grant, { signal }) => relay(stream, await grant.dial(), { signal }),
    });
    while (running.upstreams.length === 0) await turns(1);
    running.host.cut({ code: 'expired', message: 'log in again' });
    const outcome = await running.done;
    assert.deepEqual(outcome, { kind: 'cut', denial: { code: 'expired', message: 'log in again' } });
    assert.ok(running.host.dialled[0]?.stream.destroyed);
  });
});

describe('a check', () => {
  it('is decided once, and then answered at once', async () => {
    const { host } = await serving(async (grant) => {
      await grant.check({ topic: 'side' });
      assert.equal(grant.check({ topic: 'side' }), undefined);
      assert.equal(grant.check({ topic: 'side' }), undefined);
    });
    assert.deepEqual(host.asks, [{ topic: 'main' }, { topic: 'side' }]);
  });

  it('is decided again once anything has changed', async () => {
    const running = stage({ serve: (_client, grant) => checkTwice(grant, () => void running.host.revision++) }, both);
    await running.done;
    assert.equal(running.host.asks.length, 3);
  });

  it('that is denied is denied and recorded each time', async () => {
    const { host } = await serving(async (grant) => {
      for (let round = 0; round < 2; round++)
        await rejectsWith('access_denied', Promise.resolve(grant.check({ topic: 'forbidden' })));
    });
    assert.equal(host.events.filter(({ type }) => type === 'session.denied').length, 2);
  });

  it('throws once the session is over', async () => {
    let kept: Grant<Notes> | undefined;
    await serving(async (grant) => void (kept = grant));
    assert.throws(() => kept?.check({ topic: 'main' }), PosternError);
  });
});

async function checkTwice(grant: Grant<Notes>, between: () => void): Promise<void> {
  await grant.check({ topic: 'side' });
  between();
  const again = grant.check({ topic: 'side' });
  assert.ok(again instanceof Promise);
  await again;
}
