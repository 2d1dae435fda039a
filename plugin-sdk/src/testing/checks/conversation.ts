import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { AnyProtocol } from '../../protocol.js';
import { fakeIdentity } from '../fake-identity.js';
import type { Bench, Held } from '../bench.js';
import { assure, type CheckGroup } from './check.js';

/** The session came to its proper end: it began once, ended once, and nothing was left open. */
function assureEnded(held: Held<AnyProtocol>): void {
  assure(
    held.outcome?.kind === 'ended',
    `the session ended as ${held.outcome?.kind}: ${held.outcome?.kind === 'failed' ? held.outcome.error.message : ''}`,
  );
  const events = held.sessionEvents;
  assure(isDeepStrictEqual(events, ['session.start', 'session.end']), `the session events are ${events.join(', ')}`);
  assure(
    held.host.dialled.every(({ stream }) => stream.destroyed),
    'a connection to the resource is still open',
  );
  const broken = held.host.logs.filter(({ level }) => level === 'error');
  assure(broken.length === 0, `the operator was told of an error: ${broken.map(({ message }) => message).join('; ')}`);
}

async function converse(bench: Bench<AnyProtocol>, options: Parameters<Bench<AnyProtocol>['hold']>[0]): Promise<void> {
  await using held = bench.hold(options);
  await held.player.play(bench.harness.conversation);
  await held.leave();
  assureEnded(held);
}

/** One byte at a time, each in a chunk of its own. */
function* bytewise(chunk: Buffer): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += 1) yield chunk.subarray(at, at + 1);
}

/** A few pieces of each chunk, each a moment later, so that sessions come in between each other. */
async function* piecemeal(chunk: Buffer): AsyncGenerator<Buffer> {
  const size = Math.ceil(chunk.length / 8);
  for (let at = 0; at < chunk.length; at += size) {
    yield chunk.subarray(at, at + size);
    await sleep(2);
  }
}

async function manyAtOnce(bench: Bench<AnyProtocol>): Promise<void> {
  const users = Array.from({ length: 50 }, (_, at) => `user-${at}`);
  const principals = bench.host().identity?.principals ?? {};
  await Promise.all(
    users.map(async (user) => {
      const identity =
        bench.protocol.transport.kind === 'native'
          ? {}
          : { identity: { ...(bench.harness.identity ?? fakeIdentity({ principals })), user } };
      await using held = bench.hold({ ...identity, wire: piecemeal });
      await held.player.play(bench.harness.conversation, { patienceMs: 4 * (bench.harness.patienceMs ?? 5000) });
      await held.leave(10_000);
      assureEnded(held);
      if ('identity' in identity)
        assure(held.host.events[0]?.fields['user'] === user, `${user} was served as somebody else`);
    }),
  );
}

async function clientHangsUp(bench: Bench<AnyProtocol>): Promise<void> {
  await using held = bench.hold();
  await held.player.play(bench.harness.conversation, { hangUp: true });
  await held.ended();
  assureEnded(held);
}

async function resourceHangsUp(bench: Bench<AnyProtocol>): Promise<void> {
  await using held = bench.hold();
  await held.player.play(bench.harness.conversation);
  for (const dialled of held.host.dialled) dialled.hangUp();
  const told = await held.player.until(() => held.player.ended, 1000);
  assure(told, 'the client was not told within a second that the resource had hung up');
  await held.leave();
}

export const conversation: CheckGroup = {
  title: 'conversation',
  checks: [
    { name: 'holds a conversation', run: (bench) => converse(bench, {}) },
    {
      name: 'understands the same however the network splits the bytes',
      run: (bench) => converse(bench, { wire: bytewise }),
    },
    { name: 'holds fifty conversations at once and mixes none up', run: manyAtOnce },
    {
      name: 'answers a client that has ended its half',
      exemptible: true,
      missing: ({ conversation: held }) => ('connect' in held ? 'the native client hangs up by itself' : undefined),
      run: clientHangsUp,
    },
    { name: 'tells the client when the resource hangs up', exemptible: true, run: resourceHangsUp },
  ],
};
