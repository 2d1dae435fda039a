import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { AgentTable, localDialer, type Call, type Dialer } from '../../src/tunnels/index.js';

const call: Call = {
  connection: 1,
  source: '192.0.2.7',
  name: 'box.vault.example.com',
  route: { kind: 'agent', protocol: 'vault', label: 'box' },
};
const box = { kind: 'vault', label: 'box' };
const never = new AbortController().signal;

function counting(): Dialer & { calls: number } {
  const dialer = {
    calls: 0,
    dial: async () => {
      dialer.calls += 1;
      return () => {};
    },
  };
  return dialer;
}

const broken: Dialer = { dial: () => Promise.reject(new PosternError('unavailable', 'the cable is cut')) };

describe('AgentTable', () => {
  it('shares the calls among the agents that serve one resource', async () => {
    const table = new AgentTable();
    const dialers = [counting(), counting(), counting()];
    for (const dialer of dialers) table.add(dialer, [box]);
    for (let turn = 0; turn < 30; turn += 1) await table.dial(call, never);
    assert.deepEqual(
      dialers.map(({ calls }) => calls),
      [10, 10, 10],
    );
  });

  it('asks another agent where one does not take the call', async () => {
    const table = new AgentTable();
    const good = counting();
    table.add(broken, [box]);
    table.add(good, [box]);
    for (let turn = 0; turn < 4; turn += 1) await table.dial(call, never);
    assert.equal(good.calls, 4);
  });

  it('says not_found where nobody serves it, and unavailable, with no detail for strangers, where nobody takes it', async () => {
    const table = new AgentTable();
    await assert.rejects(table.dial(call, never), { code: 'not_found' });
    table.add(broken, [box]);
    await assert.rejects(table.dial(call, never), {
      code: 'unavailable',
      message: 'box.vault.example.com cannot be reached: the cable is cut',
      publicMessage: 'box.vault.example.com cannot be reached right now',
    });
  });

  it('does not go on to the next agent when nobody waits any more', async () => {
    const table = new AgentTable();
    const [stop, second] = [new AbortController(), counting()];
    const first: Dialer = { dial: () => (stop.abort(), Promise.reject(new PosternError('aborted', 'gone'))) };
    table.add(second, [{ kind: 'vault', label: 'pad' }, box]);
    table.add(first, [box]);
    await assert.rejects(table.dial(call, stop.signal).then(() => table.dial(call, stop.signal)));
    assert.ok(second.calls <= 1);
  });

  it('forgets what an agent takes back, and all of an agent that has gone', async () => {
    const table = new AgentTable();
    const dialer = localDialer(() => {});
    table.add(dialer, [box, box, { kind: 'vault', label: 'pad' }]);
    assert.equal(table.countOf(dialer), 2);
    table.remove(dialer, [box]);
    assert.deepEqual([table.has(box), table.countOf(dialer)], [false, 1]);
    table.drop(dialer);
    assert.deepEqual([table.has({ kind: 'vault', label: 'pad' }), table.countOf(dialer)], [false, 0]);
  });

  it('leaves alone what another agent serves too', () => {
    const table = new AgentTable();
    const [one, two] = [localDialer(() => {}), localDialer(() => {})];
    table.add(one, [box]);
    table.add(two, [box]);
    table.drop(one);
    assert.ok(table.has(box));
  });
});
