import type { AnyProtocol } from '../../protocol.js';
import { PosternError } from '../../errors.js';
import type { Bench, Held } from '../bench.js';
import type { Bytes, Conversation } from '../harness.js';
import { assure, needs, type CheckGroup } from './check.js';

/** Everything that a client sends in a conversation, where that can be known. */
function saidIn(conversation: Conversation): Bytes | undefined {
  if ('send' in conversation) return conversation.send;
  if ('connect' in conversation) return undefined;
  const last = conversation.steps.findLast((step) => 'send' in step);
  return last && 'send' in last && typeof last.send !== 'function' ? last.send : undefined;
}

/** What has reached the resource, as far as anybody can read it. */
export async function reached(bench: Bench<AnyProtocol>, held: Held<AnyProtocol>): Promise<Buffer> {
  const seen = await bench.upstream.received?.();
  return seen === undefined ? held.host.forwarded() : Buffer.from(seen);
}

async function refuses(bench: Bench<AnyProtocol>): Promise<void> {
  await using held = bench.hold();
  await held.player.play(bench.harness.forbidden);
  assure(held.sessionEvents.includes('session.denied'), 'the denial is not in the audit log');
  await held.leave();
}

async function forwardsNothingForbidden(bench: Bench<AnyProtocol>): Promise<void> {
  await using held = bench.hold();
  const before = (await bench.upstream.received?.())?.length ?? 0;
  await held.player.play(bench.harness.forbidden).catch(() => {});
  await held.leave().catch(() => {});
  const forbidden = bench.harness.never ?? saidIn(bench.harness.forbidden);
  assure(forbidden !== undefined, 'tell the kit what must not reach the resource: harness.never');
  const seen = (await reached(bench, held)).subarray(before);
  assure(!seen.includes(forbidden), 'what is forbidden has reached the resource');
}

/** Plays the opening of a client whose role allows nothing. */
async function turnedAway(bench: Bench<AnyProtocol>): Promise<Held<AnyProtocol>> {
  const held = bench.hold({ allow: {} });
  await held.player.play(bench.harness.conversation, { patienceMs: 2000 }).catch(() => {});
  await held.leave();
  assure(held.sessionEvents.includes('session.denied'), 'a client whose role allows nothing was let in');
  assure(!held.sessionEvents.includes('session.start'), 'a session began that no role allows');
  return held;
}

async function tellsWhy(bench: Bench<AnyProtocol>): Promise<void> {
  const { refusal } = bench.harness;
  if (refusal === undefined) return;
  if (!(refusal instanceof RegExp)) {
    await using held = bench.hold({ allow: {} });
    await held.player.play(refusal);
    return;
  }
  await using held = await turnedAway(bench);
  const { received } = held.player;
  assure(refusal.test(received), `the client was told only ${JSON.stringify(received)}`);
}

async function unreachable(bench: Bench<AnyProtocol>): Promise<void> {
  const refused = new PosternError('upstream_unreachable', 'connection refused', {
    publicMessage: 'the resource cannot be reached',
  });
  let dials = 0;
  await using held = bench.hold({
    dial: () => {
      dials += 1;
      return Promise.reject(refused);
    },
  });
  await held.player.play(bench.harness.conversation, { patienceMs: 1000 }).catch(() => {});
  if (dials === 0) return;
  await held.leave(2000);
  assure(bench.harness.refusal === undefined || held.player.count > 0, 'the client was not told why');
}

export const authorization: CheckGroup = {
  title: 'authorization',
  checks: [
    { name: 'refuses in the protocol’s own words', run: refuses },
    { name: 'lets nothing forbidden reach the resource', run: forwardsNothingForbidden },
    {
      name: 'dials nothing before access was granted',
      run: async (bench) => {
        await using held = await turnedAway(bench);
        assure(held.host.dialled.length === 0, 'the resource was dialled for somebody who may not enter');
      },
    },
    {
      name: 'tells a client why it may not enter',
      missing: needs('refusal'),
      run: tellsWhy,
    },
    { name: 'ends, and says so, where the resource cannot be reached', run: unreachable },
  ],
};
