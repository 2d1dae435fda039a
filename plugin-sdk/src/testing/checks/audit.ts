import { setTimeout as sleep } from 'node:timers/promises';
import type { Hold } from '../../audit.js';
import type { AnyProtocol } from '../../protocol.js';
import type { Bench, Held } from '../bench.js';
import { reached } from './authorization.js';
import { assure, type Check, type CheckGroup } from './check.js';

/** Fails where something with an effect has reached the resource. */
async function assureNoEffect(bench: Bench<AnyProtocol>, held: Held<AnyProtocol>, before: number): Promise<void> {
  const { effect } = bench.harness;
  const seen = (await reached(bench, held)).subarray(before);
  const done = effect === undefined ? seen.length > 0 : seen.includes(effect);
  assure(!done, `this reached the resource unrecorded: ${JSON.stringify(seen.subarray(0, 200).toString('latin1'))}`);
}

/** Holds the conversation while the audit log does not take events as it should. */
async function withLog(
  bench: Bench<AnyProtocol>,
  store: () => Hold,
  then: (held: Held<AnyProtocol>, before: number) => Promise<void>,
): Promise<void> {
  const before = (await bench.upstream.received?.())?.length ?? 0;
  let events = 0;
  await using held = bench.hold({
    store: () => {
      events += 1;
      return store();
    },
  });
  const played = held.player.play(bench.harness.conversation, { patienceMs: 1500 }).catch(() => {});
  await then(held, before);
  await held.leave().catch(() => {});
  await played;
  assure(events > 0, 'the conversation made no event');
}

const full = new Error('no space left on device');

const lost = (name: string, store: () => Hold): Check => ({
  name,
  missing: makesEvents,
  run: (bench) =>
    withLog(bench, store, async (held, before) => {
      const outcome = await held.ended(3000);
      assure(outcome.kind === 'cut', `the session ended as ${outcome.kind} and not because its audit log was lost`);
      await assureNoEffect(bench, held, before);
    }),
});

function makesEvents(_harness: unknown, { protocol }: { protocol: AnyProtocol }): string | undefined {
  return Object.keys(protocol.audit).length > 0 ? undefined : 'the protocol has no events of its own';
}

export const audit: CheckGroup = {
  title: 'audit',
  checks: [
    lost('lets nothing happen once the audit log is lost', () => {
      throw full;
    }),
    lost('lets nothing happen where the audit log fails later', async () => {
      await sleep(20);
      throw full;
    }),
    {
      name: 'lets nothing happen before its event is recorded',
      missing: makesEvents,
      run: async (bench) => {
        let store = (): void => {};
        const stored = new Promise<void>((resolve) => (store = resolve));
        await withLog(
          bench,
          () => stored,
          async (held, before) => {
            await sleep(100);
            await assureNoEffect(bench, held, before);
            store();
            await held.player.until(() => held.player.count > 0, 2000);
          },
        );
      },
    },
  ],
};
