import assert from 'node:assert/strict';
import { RequestReplies, type Reply } from '../src/request-replies.js';
import type { Transport } from '../src/transport.js';

/** What was answered: the type of each message with the client's channel number. */
function replies(): { readonly sent: [type: number, channel: number][]; readonly replies: RequestReplies } {
  const sent: [number, number][] = [];
  const transport = { send: (payload: Buffer) => void sent.push([payload[0] ?? 0, payload.readUInt32BE(1)]) };
  return { sent, replies: new RequestReplies(transport as unknown as Transport, (channel) => channel + 100) };
}

describe('the answers to channel requests', () => {
  it('come in the order of the requests, however long each takes', () => {
    const { sent, replies: all } = replies();
    const claimed: Reply[] = [];
    for (let request = 0; request < 3; request += 1) all.during(0, true, () => void claimed.push(all.claim()));
    claimed[2]?.succeed();
    claimed[1]?.fail();
    assert.deepEqual(sent, []);
    claimed[0]?.succeed();
    assert.deepEqual(sent, [
      [99, 100],
      [100, 100],
      [99, 100],
    ]);
  });

  it('do not wait for those of another channel', () => {
    const { sent, replies: all } = replies();
    all.during(0, true, () => void all.claim());
    all.during(1, true, () => all.claim().succeed());
    assert.deepEqual(sent, [[99, 101]]);
  });

  it('are failures where nobody handles the request', () => {
    const { sent, replies: all } = replies();
    all.during(0, true, () => {});
    assert.deepEqual(sent, [[100, 100]]);
  });

  it('are not sent where none is wanted, nor twice, nor for a closed channel', () => {
    const { sent, replies: all } = replies();
    all.during(0, false, () => all.claim().succeed());
    let reply: Reply | undefined;
    all.during(0, true, () => void (reply = all.claim()));
    reply?.succeed();
    reply?.fail();
    assert.deepEqual(sent, [[99, 100]]);
    all.during(0, true, () => void (reply = all.claim()));
    all.forget(0);
    reply?.succeed();
    assert.equal(sent.length, 1);
  });

  it('are bounded in number', () => {
    const { replies: all } = replies();
    const taken = Array.from({ length: 200 }, () => all.during(0, true, () => void all.claim())).filter(Boolean);
    assert.equal(taken.length, 128);
  });
});
