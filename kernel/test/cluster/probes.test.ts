import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Health, ProbeContext } from '@postern/plugin-sdk';
import { deleteDocument, listDocuments, listResources } from '../../src/api/contract/index.js';
import { until, type TestCluster } from '../../../test/support/cluster.js';
import { LineSession, linePlugin, type lines } from './line-protocol.js';
import { startLines } from './line-world.js';

/** What the probes of a cluster did. */
class Probes {
  readonly answers = new Map<string, Health>();
  readonly begun = new Map<string, number>();
  running = 0;
  most = 0;

  readonly plugin = linePlugin({ agent: async () => ({ Session: LineSession, Probe: this.#probeClass() }) });

  #probeClass() {
    const ask = (context: ProbeContext<typeof lines>): Promise<Health> => this.#ask(context);
    return class {
      static readonly inject = [] as const;
      probe = ask;
    };
  }

  async #ask({ resource: { name }, signal }: ProbeContext<typeof lines>): Promise<Health> {
    this.begun.set(name, (this.begun.get(name) ?? 0) + 1);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    try {
      if (name === 'silent') await once(signal, 'abort');
      // Longer than a turn of the loop, so that those that may run at once do.
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (name === 'broken') throw new Error('the probe has a bug');
      return this.answers.get(name) ?? { ok: true };
    } finally {
      this.running -= 1;
    }
  }

  /** Resolves when each was probed so many times more. */
  async more(times: number, ...names: readonly string[]): Promise<void> {
    const wanted = names.map((name) => [name, (this.begun.get(name) ?? 0) + times] as const);
    await until(() => wanted.every(([name, count]) => (this.begun.get(name) ?? 0) >= count), 20_000);
  }
}

const names = ['well', 'refusing', 'broken', 'silent', 'a', 'b', 'c', 'd'];
const resources = names.map((name) => ({ kind: 'lines', name, labels: { env: 'test' } }));
const often = { enabled: true, interval: '1s', timeout: '1s', concurrency: 2 };

describe('probes of resources', function () {
  this.timeout(40_000);
  const probes = new Probes();
  let cluster: TestCluster;

  before(async () => {
    probes.answers.set('refusing', { ok: false, reason: 'auth', detail: 'password of postern refused' });
    cluster = await startLines({ plugins: [probes.plugin], resources, configuration: { agent: { probes: often } } });
    await probes.more(2, ...names);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const logged = (name: string): readonly string[] =>
    cluster.log.flatMap(({ message, fields }) =>
      message.startsWith('a resource') && fields && 'name' in fields && fields.name === name ? [message] : [],
    );
  const shown = async (): Promise<Readonly<Record<string, string | undefined>>> => {
    const login = await cluster.login('ann');
    await using client = cluster.api(login);
    const found = await client.call(listResources, {});
    return Object.fromEntries(found.map(({ name, health }) => [name, health?.detail]));
  };

  it('are told to users in words that give nothing away', async () => {
    const { well, refusing, broken, silent } = await shown();
    assert.deepEqual(
      { well, refusing, broken, silent },
      {
        well: 'well',
        refusing: 'refuses our credentials',
        broken: 'does not answer as it should',
        silent: 'cannot be reached',
      },
    );
  });

  it('are told to administrators with what the probe said', async () => {
    const found = await cluster.admin.call(listDocuments, { kind: 'lines' });
    const detail = (wanted: string): string | undefined => found.find(({ name }) => name === wanted)?.health?.detail;
    assert.equal(detail('refusing'), 'refuses our credentials: password of postern refused');
    assert.match(detail('silent') ?? '', /^cannot be reached: no answer within 1000 ms$/);
    assert.match(detail('broken') ?? '', /the probe has a bug$/);
  });

  it('run no more at once than is configured, and a silent resource holds nobody up for good', () => {
    assert.equal(probes.most, 2);
    for (const name of names) assert.ok((probes.begun.get(name) ?? 0) >= 2, name);
  });

  it('are logged when the answer changes, and only then', async () => {
    assert.deepEqual(logged('refusing'), ['a resource refuses our credentials']);
    assert.deepEqual(logged('well'), []);
    probes.answers.set('refusing', { ok: true });
    await until(() => logged('refusing').length === 2, 20_000);
    await probes.more(2, 'refusing');
    assert.deepEqual(logged('refusing'), ['a resource refuses our credentials', 'a resource is well again']);
    assert.equal((await shown())['refusing'], 'well');
  });

  it('end with their resource, of which nothing is known any more', async () => {
    await cluster.admin.call(deleteDocument, { kind: 'lines', name: 'd' });
    await cluster.seen();
    const before = probes.begun.get('d');
    await probes.more(2, 'a', 'b');
    assert.ok((probes.begun.get('d') ?? 0) <= (before ?? 0) + 1);
    assert.equal((await shown())['d'], undefined);
  });
});

describe('probes that are switched off', () => {
  it('are never made, and nobody is told anything', async () => {
    const probes = new Probes();
    const configuration = { agent: { probes: { ...often, enabled: false } } };
    await using cluster = await startLines({ plugins: [probes.plugin], configuration });
    const [one] = await cluster.admin.call(listDocuments, { kind: 'lines' });
    assert.deepEqual([one?.name, one?.health], ['one', undefined]);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(probes.begun.size, 0);
  });
});
