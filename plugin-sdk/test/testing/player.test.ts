import assert from 'node:assert/strict';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { Player } from '../../src/testing/player.js';
import { text } from '../support/relayed.js';

describe('Player', () => {
  const stage = () => {
    const [client, server] = duplexPair();
    const player = new Player(client, 100);
    player.listen();
    return { player, server };
  };

  it('sends everything and waits for a pattern of everything', async () => {
    const { player, server } = stage();
    server.once('data', () => server.write('hello '));
    setTimeout(() => server.write('world'), 5);
    await player.play({ send: 'hi', receive: /^hello world$/ });
    assert.equal(player.received, 'hello world');
    assert.equal(player.count, 11);
  });

  it('goes through a dialogue, each answer behind the one before', async () => {
    const { player, server } = stage();
    server.write('salt=7;');
    server.once('data', (chunk: Buffer) => server.write(`ok ${chunk.toString()};ok;`));
    await player.play({
      steps: [
        { expect: /salt=(\d);/ },
        { send: (received) => `hash(${received.toString().slice(5, 6)})` },
        { expect: /^ok hash\(7\);/ },
        { expect: /^ok;$/ },
      ],
    });
  });

  it('hangs up after the last word, not before', async () => {
    const { player, server } = stage();
    server.once('data', () => server.write('go on'));
    const heard = text(server);
    await player.play({ steps: [{ send: 'a' }, { expect: /go on/ }, { send: 'b' }] }, { hangUp: true });
    assert.equal(await heard, 'ab');
  });

  it('says what it got instead', async () => {
    const { player, server } = stage();
    server.write('something else');
    await assert.rejects(
      player.play({ send: 'x', receive: /^right$/ }),
      /expected \/\^right\$\/, received only "something else"/,
    );
    server.end();
    await assert.rejects(player.play({ send: 'x', receive: /^right$/ }), /the stream ended after/);
  });

  it('matches what came before the end of the stream', async () => {
    const { player, server } = stage();
    server.end('last words');
    await player.play({ send: '', receive: /last words/g });
    assert.equal(player.ended, true);
  });

  it('drives a native client, and fails with it', async () => {
    const { player } = stage();
    await player.play({ connect: async (stream) => void stream.write('x') });
    await assert.rejects(player.play({ connect: () => Promise.reject(new Error('wrong answer')) }), /wrong answer/);
    await assert.rejects(player.play({ connect: () => new Promise(() => {}) }), /longer than 100 ms/);
  });
});
