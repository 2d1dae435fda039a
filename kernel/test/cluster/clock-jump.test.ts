import assert from 'node:assert/strict';
import type { TestCluster } from '../../../test/support/cluster.js';
import { hello } from './line-client.js';
import { startLines } from './line-world.js';

const hour = 3_600_000;

describe('a cluster whose clock is put', function () {
  this.timeout(30_000);
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await startLines();
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  /** When the certificate that the resource shows begins and ends. */
  async function shown(): Promise<readonly [number, number]> {
    const login = await cluster.login('ann');
    const stream = await cluster.connect('lines', 'one', login);
    const { valid_from: from, valid_to: to } = stream.getPeerCertificate();
    stream.destroy();
    const [client, answer] = await hello(cluster, login);
    assert.equal(answer, 'ok hello');
    client[Symbol.dispose]();
    return [Date.parse(from), Date.parse(to)];
  }

  it('back shows certificates of the time that it now is, and lets users in', async () => {
    const [before] = await shown();
    cluster.clock.advance(-5 * hour);
    const [from, to] = await shown();
    const now = cluster.clock.now().getTime();
    assert.ok(from <= now && now < to);
    assert.ok(before - from > 4 * hour, `${before - from}`);
  });
});
