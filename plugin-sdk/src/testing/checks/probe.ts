import type { Duplex } from 'node:stream';
import { PosternError } from '../../errors.js';
import { probeResource } from '../../host/index.js';
import type { Health } from '../../plugin.js';
import type { AnyProtocol, Authorization, Endpoint } from '../../protocol.js';
import type { z } from 'zod';
import type { Bench } from '../bench.js';
import { dialTcp } from '../loopback.js';
import { assure, type CheckGroup } from './check.js';

interface Probed {
  readonly health: Health | undefined;
  readonly dialled: readonly Duplex[];
  /** How often the probe asked for a connection. */
  readonly dials: number;
}

async function probe(bench: Bench<AnyProtocol>, dial: (endpoint: Endpoint) => Promise<Duplex>): Promise<Probed> {
  const endpoint = await firstEndpoint(bench);
  const dialled: Duplex[] = [];
  let dials = 0;
  const health = await probeResource(
    bench.agent,
    {
      resource: bench.host().resource,
      signal: AbortSignal.timeout(5000),
      dial: async () => {
        dials += 1;
        if (!endpoint) throw new PosternError('upstream_unreachable', 'the resource has no endpoint');
        const stream = await dial(endpoint);
        dialled.push(stream);
        return stream;
      },
    },
    bench.scope,
  );
  return { health, dialled, dials };
}

/** The endpoint that the conversation leads to. */
async function firstEndpoint(bench: Bench<AnyProtocol>): Promise<Endpoint | undefined> {
  await using held = bench.hold();
  await held.player.play(bench.harness.conversation);
  const { auth } = bench.protocol as { readonly auth: Authorization<z.ZodType, z.ZodType, z.ZodType> };
  return auth.endpoints(held.host.resource.spec, held.host.asks[0])[0];
}

const refused = (): Promise<never> =>
  Promise.reject(new PosternError('upstream_unreachable', 'connect ECONNREFUSED 127.0.0.1:1'));

export const probing: CheckGroup = {
  title: 'probe',
  checks: [
    {
      name: 'sees a live resource, and closes what it dialled',
      run: async (bench) => {
        if (!bench.agent.Probe) return;
        const { health, dialled } = await probe(bench, dialTcp);
        assure(health?.ok, `the resource lives, and the probe says ${JSON.stringify(health)}`);
        assure(
          dialled.every(({ destroyed }) => destroyed),
          'a connection of the probe is still open',
        );
      },
    },
    {
      name: 'calls a resource unreachable that nobody answers for',
      run: async (bench) => {
        if (!bench.agent.Probe) return;
        const { health, dials } = await probe(bench, refused);
        if (dials === 0) return;
        assure(health?.ok === false && health.reason === 'unreachable', `the probe says ${JSON.stringify(health)}`);
      },
    },
  ],
};
