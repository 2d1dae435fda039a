import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { PosternError, Scope, token, type AgentModule, type Health, type ProbeContext } from '@postern/plugin-sdk';
import { probeResource } from '@postern/plugin-sdk/host';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { turns } from '../support/relayed.js';
import { mainEndpoint, never, sideEndpoint, type Notes } from '../support/stage.js';

type Ask = (context: ProbeContext<Notes>) => Promise<Health>;

const module = (ask: Ask): AgentModule<Notes> => ({
  Session: class {} as never,
  Probe: class {
    probe = ask;
  },
});

/** Probes a resource whose connections all end here. */
function probing(ask: Ask, signal = new AbortController().signal, dial?: () => Promise<Duplex>) {
  const opened: Duplex[] = [];
  const health = probeResource(module(ask), {
    resource: { name: 'r', labels: {}, spec: { main: mainEndpoint, side: sideEndpoint } },
    signal,
    dial:
      dial ??
      (async () => {
        const [near] = duplexPair();
        opened.push(near);
        return near;
      }),
  });
  return { health, opened };
}

describe('probeResource', () => {
  it('answers what the probe answers, and closes what it dialled', async () => {
    const { health, opened } = probing(async (context) => {
      await context.dial();
      await context.dial();
      return { ok: true, version: '1.2' };
    });
    assert.deepEqual(await health, { ok: true, version: '1.2' });
    assert.equal(opened.length, 2);
    assert.ok(opened.every(({ destroyed }) => destroyed));
  });

  it('answers nothing where there is no probe', async () => {
    const context = { resource: {} as never, signal: new AbortController().signal, dial: never };
    assert.equal(await probeResource({ Session: class {} as never }, context), undefined);
  });

  const failures = {
    upstream_unreachable: 'unreachable',
    timeout: 'unreachable',
    upstream_auth: 'auth',
    protocol_violation: 'protocol',
    internal: 'protocol',
  } as const;
  for (const [code, reason] of Object.entries(failures))
    it(`calls ${code} ${reason}`, async () => {
      const { health } = probing(() => Promise.reject(new PosternError(code as keyof typeof failures, 'why')));
      assert.deepEqual(await health, { ok: false, reason, detail: 'why' });
    });

  it('never rejects, not even for a probe that cannot be made', async () => {
    const broken = class {
      constructor() {
        throw new Error('no binding');
      }
    } as never;
    const context = { resource: {} as never, signal: new AbortController().signal, dial: never };
    const health = await probeResource({ Session: broken, Probe: broken }, context);
    assert.deepEqual(health, { ok: false, reason: 'protocol', detail: 'no binding' });
  });

  it('ends when it is told to, also what is still being dialled', async () => {
    const stop = new AbortController();
    const [near] = duplexPair();
    let connected = (): void => {};
    const { health } = probing(
      async (context) => {
        await context.dial();
        return { ok: true };
      },
      stop.signal,
      () => new Promise((resolve) => (connected = () => resolve(near))),
    );
    stop.abort();
    assert.equal((await health)?.ok, false);
    connected();
    await turns();
    assert.ok(near.destroyed);
  });

  it('survives a connection that fails while nobody looks', async () => {
    const { health, opened } = probing(async (context) => {
      await context.dial();
      opened[0]?.destroy(new Error('reset'));
      await turns();
      return { ok: true };
    });
    assert.deepEqual(await health, { ok: true });
  });

  it('builds the probe in the scope of the plugin', async () => {
    const Greeting = token<string>('test.Greeting');
    const Probe = class {
      static readonly inject = [Greeting];
      constructor(private readonly greeting: string) {}
      async probe(): Promise<Health> {
        return { ok: true, version: this.greeting };
      }
    };
    const context = { resource: {} as never, signal: new AbortController().signal, dial: never };
    const scope = Scope.root().value(Greeting, 'hello');
    assert.deepEqual(await probeResource({ Session: class {} as never, Probe }, context, scope), {
      ok: true,
      version: 'hello',
    });
  });
});
