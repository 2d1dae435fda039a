import assert from 'node:assert/strict';
import { relay } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { Conversation } from '../src/conversation.js';
import { FromDesktop } from '../src/from-desktop.js';
import { channelData, mcs } from '../src/mcs.js';
import { pduTap } from '../src/pdu-tap.js';
import { chunksOf } from '../src/virtual-channel.js';

const channel = 1004;
const creation = Buffer.concat(
  chunksOf(Buffer.from('\x10\x01URBDRC\0', 'latin1')).map((chunk) =>
    channelData(mcs.dataIndication, { user: 1007, channel }, chunk),
  ),
);

describe('a desktop', () => {
  it('that asks for channels again and again, and reads no answers, is not read either', async () => {
    let asked = 0;
    const taken: (() => void)[] = [];
    const conversation = new Conversation({
      account: { user: 'vaulted', domain: '', password: '' },
      requestedProtocols: 1,
      selectedProtocol: 1,
      client: 'native',
      audit: { emit: () => undefined },
      recording: undefined,
      recordInput: false,
      allows: async () => {
        asked += 1;
        return false;
      },
      toDesktop: () => new Promise((resolve) => taken.push(resolve)),
    });
    conversation.stage = 'active';
    conversation.user = 1007;
    conversation.channels.set(channel, { name: 'drdynvc', purpose: 'dynamic', allowed: true });
    const [client, near] = duplexPair();
    const [desktop, far] = duplexPair();
    const stop = new AbortController();
    const relayed = relay(near, far, {
      fromUpstream: pduTap(new FromDesktop(conversation).handle),
      signal: stop.signal,
    }).catch(() => {});
    desktop.write(Buffer.concat(Array.from({ length: 100 }, () => creation)));
    desktop.write(creation);
    const ticks = async (): Promise<void> => {
      for (let tick = 0; tick < 50; tick += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    try {
      for (const already of [0, 1, 2]) {
        await ticks();
        assert.deepEqual([asked, taken.length], [already + 1, already + 1]);
        taken[already]?.();
      }
    } finally {
      stop.abort();
      await relayed;
      for (const stream of [client, near, desktop, far]) stream.destroy();
    }
  });
});
