import { setTimeout as sleep } from 'node:timers/promises';
import type { Denial } from '../../identity.js';
import { Scope } from '../../scope.js';
import type { AnyProtocol } from '../../protocol.js';
import type { Bench, Held } from '../bench.js';
import { assure, needs, type CheckGroup } from './check.js';

const locked: Denial = { code: 'locked', message: 'locked by an administrator' };

/** Ends a session from outside, and takes the time until it is over. */
async function cut(held: Held<AnyProtocol>, how: 'cut' | 'stop'): Promise<void> {
  const began = performance.now();
  held.host[how](locked);
  const outcome = await held.ended();
  const took = Math.round(performance.now() - began);
  assure(took < 1000, `it took ${took} ms until the session was over`);
  assure(outcome.kind !== 'failed', `the session failed: ${outcome.kind === 'failed' ? outcome.error.message : ''}`);
}

async function cutAfterConversation(bench: Bench<AnyProtocol>): Promise<string> {
  await using held = bench.hold();
  await held.player.play(bench.harness.conversation);
  // A native client that drives itself may have left already; then there is nothing to cut.
  if (held.outcome) return '';
  const before = held.player.received.length;
  await cut(held, 'cut');
  return held.player.received.slice(before);
}

async function tellsWhy(bench: Bench<AnyProtocol>): Promise<void> {
  const { farewell } = bench.harness;
  if (farewell === undefined) return;
  if (!(farewell instanceof RegExp)) {
    await using held = bench.hold();
    await held.player.play({ connect: (stream) => farewell.connect(stream, () => held.host.cut(locked)) });
    return;
  }
  const told = await cutAfterConversation(bench);
  assure(farewell.test(told), `the client was told only ${JSON.stringify(told)}`);
}

async function clientVanishes(bench: Bench<AnyProtocol>): Promise<void> {
  for (const played of [false, true]) {
    await using held = bench.hold();
    if (played) await held.player.play(bench.harness.conversation);
    else await sleep(10);
    held.client.destroy();
    await held.ended(2000);
    assure(
      held.host.dialled.every(({ stream }) => stream.destroyed),
      'a connection to the resource has outlived its client',
    );
  }
}

async function resourceVanishes(bench: Bench<AnyProtocol>): Promise<void> {
  for (const played of [false, true]) {
    await using held = bench.hold();
    let over = false;
    const playing = held.player
      .play(bench.harness.conversation, { patienceMs: 500 })
      .catch(() => {})
      .finally(() => (over = true));
    while (!over && (played || held.host.dialled.length === 0)) await sleep(1);
    for (const connection of held.host.dialled) connection.break();
    await playing;
    await held.leave(2000);
  }
}

/** Sockets, timers and processes that keep this process alive, counted by name. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

async function unload(bench: Bench<AnyProtocol>): Promise<void> {
  await sleep(20);
  const before = resources();
  const scope = Scope.root();
  bench.agent.bind?.(scope);
  {
    await using held = bench.hold({ scope });
    await held.player.play(bench.harness.conversation);
    await held.leave();
  }
  await scope[Symbol.asyncDispose]();
  const left = (): string[] =>
    [...resources()].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name);
  for (let wait = 1; wait < 1000 && left().length > 0; wait *= 2) await sleep(wait);
  assure(left().length === 0, `the plugin left behind: ${left().join(', ')}`);
}

export const lifecycle: CheckGroup = {
  title: 'life of a session',
  checks: [
    {
      name: 'ends within a second when it is told to',
      run: async (bench) => {
        await cutAfterConversation(bench);
        await using idle = bench.hold();
        await sleep(50);
        await cut(idle, 'stop');
      },
    },
    {
      name: 'tells a client why its session was cut',
      missing: needs('farewell'),
      run: tellsWhy,
    },
    { name: 'ends when its client vanishes', run: clientVanishes },
    { name: 'survives a resource that vanishes', run: resourceVanishes },
    { name: 'leaves nothing behind when it is unloaded', run: unload },
  ],
};
