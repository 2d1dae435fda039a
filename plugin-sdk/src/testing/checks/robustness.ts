import { inspect } from 'node:util';
import { PosternError } from '../../errors.js';
import type { AnyProtocol } from '../../protocol.js';
import type { Bench, Held } from '../bench.js';
import { mutation } from '../mutation.js';
import { assure, needs, type CheckGroup } from './check.js';

const mebibyte = 1 << 20;

/** Holds the conversation over a wire that damages what the client says. */
async function survives(bench: Bench<AnyProtocol>, seed: number): Promise<void> {
  const damage = mutation(seed);
  await using held = bench.hold({ wire: (chunk) => [damage(chunk)] });
  await held.player.play(bench.harness.conversation, { patienceMs: 150 }).catch(() => {});
  held.client.end();
  const alone = await held.ended(250).catch(() => undefined);
  if (!alone) held.host.cut({ code: 'unavailable', message: 'enough' });
  await held.ended(3000).catch(() => {
    throw new Error(`seed ${seed}: the session does not end`);
  });
  const open = held.host.dialled.filter(({ stream }) => !stream.destroyed).length;
  assure(open === 0, `seed ${seed}: ${open} connections to the resource are left open`);
}

async function garbage(bench: Bench<AnyProtocol>): Promise<void> {
  const seeds = Array.from({ length: 40 }, (_, at) => at + 1);
  while (seeds.length > 0) await Promise.all(seeds.splice(0, 10).map((seed) => survives(bench, seed)));
  await using held = bench.hold();
  await held.player.play(bench.harness.conversation);
  await held.leave();
}

async function oversized(bench: Bench<AnyProtocol>): Promise<void> {
  const { oversized: frame } = bench.harness;
  if (!frame) return;
  const before = process.memoryUsage().arrayBuffers;
  await using held = bench.hold();
  await held.player.play(frame, { patienceMs: 2000 });
  const grown = process.memoryUsage().arrayBuffers - before;
  assure(
    grown < 64 * mebibyte,
    `${Math.round(grown / mebibyte)} MiB were allocated for a frame that was only announced`,
  );
  await held.leave();
}

/** Everything that is kept or shown of a session, except for what went to the resource. */
function traces(held: Held<AnyProtocol>): string {
  const { host, outcome, player } = held;
  const failure = outcome?.kind === 'failed' ? outcome.error : undefined;
  const words = PosternError.is(failure) ? failure.publicMessage : '';
  const kept = inspect([host.events, host.logs, outcome, failure?.stack], { depth: 12, maxStringLength: Infinity });
  const recorded = host.recordings.flatMap(({ entries }) =>
    entries.map((entry) => ('data' in entry ? entry.data.toString('latin1') : inspect(entry, { depth: 12 }))),
  );
  return [kept, words, player.received, ...recorded].join('\n');
}

async function keepsSecrets(bench: Bench<AnyProtocol>): Promise<void> {
  const { conversation, forbidden } = bench.harness;
  const ways: readonly ((held: Held<AnyProtocol>) => Promise<void>)[] = [
    (held) => held.player.play(conversation),
    (held) => held.player.play(forbidden),
    async (held) => {
      await held.player.play(conversation, { patienceMs: 500 });
      for (const dialled of held.host.dialled) dialled.break();
    },
    async (held) => {
      await held.player.play(conversation);
      held.host.cut({ code: 'locked', message: 'locked' });
    },
  ];
  for (const way of ways) {
    await using held = bench.hold();
    await way(held).catch(() => {});
    await held.leave().catch(() => {});
    const seen = traces(held);
    for (const secret of held.host.secrets)
      assure(!seen.includes(secret), `a secret is in an event, a log line, an error, a recording or an answer`);
  }
}

export const robustness: CheckGroup = {
  title: 'robustness',
  checks: [
    { name: 'survives forty damaged conversations', run: garbage },
    { name: 'refuses a frame that announces 4 GiB', missing: needs('oversized'), run: oversized },
    { name: 'keeps secrets to itself', run: keepsSecrets },
  ],
};
