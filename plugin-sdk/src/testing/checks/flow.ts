import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyProtocol } from '../../protocol.js';
import type { Bench } from '../bench.js';
import { assure, needs, type CheckGroup } from './check.js';

/** What may lie between two sides when one of them has stopped reading. */
const allowance = 1 << 20;

/** Waits until a number has not grown for a while, and returns it. */
async function settled(measure: () => number): Promise<number> {
  let last = -1;
  let quiet = 0;
  while (quiet < 10) {
    await sleep(20);
    const now = measure();
    quiet = now === last ? quiet + 1 : 0;
    last = now;
  }
  return last;
}

async function slowClient(bench: Bench<AnyProtocol>): Promise<void> {
  const { bulk } = bench.harness;
  if (!bulk) return;
  assure(bulk.bytes >= 4 * allowance, 'harness.bulk must lead to at least 4 MiB');
  await using held = bench.hold();
  const { player, host } = held;
  await player.playSteps(bulk.steps);
  player.stream.pause();
  const taken = (): number => host.dialled.reduce((sum, { received }) => sum + received, 0);
  const held0 = (await settled(taken)) - player.count;
  assure(held0 <= allowance, `${held0} bytes were taken from the resource for a client that does not read`);
  const complete = await player.until(() => player.count >= bulk.bytes, 20_000);
  assure(complete, `${player.count} of ${bulk.bytes} bytes came once the client read again`);
  await held.leave();
}

async function slowResource(bench: Bench<AnyProtocol>): Promise<void> {
  const { conversation } = bench.harness;
  if (!('send' in conversation)) return;
  await using held = bench.hold();
  await held.player.play(conversation);
  for (const dialled of held.host.dialled) dialled.stall();
  const words = Buffer.from(conversation.send);
  const block = Buffer.alloc(Math.ceil(65_536 / words.length) * words.length, words);
  let written = 0;
  for (; written < 8 * allowance; written += block.length) held.client.write(block);
  const left = await settled(() => held.client.writableLength);
  const taken = written - left;
  for (const dialled of held.host.dialled) dialled.flow();
  assure(taken <= allowance, `${taken} bytes were taken from the client for a resource that does not read`);
}

export const flow: CheckGroup = {
  title: 'flow',
  checks: [
    { name: 'reads no faster than its client', missing: needs('bulk'), run: slowClient },
    {
      name: 'reads no faster than the resource',
      exemptible: true,
      missing: ({ conversation }) =>
        'send' in conversation ? undefined : 'only a conversation that is sent at once can be repeated',
      run: slowResource,
    },
  ],
};
