import { definePlugin } from '@postern/plugin-sdk';
import { mongodb } from './protocol.js';

export default definePlugin(mongodb, {
  noun: 'db',
  async agent() {
    const [{ MongodbSession }, { MongodbProbe }, { Cursors, CursorsToken }] = await Promise.all([
      import('./session.js'),
      import('./probe.js'),
      import('./cursors.js'),
    ]);
    return {
      Session: MongodbSession,
      Probe: MongodbProbe,
      bind: (scope) => void scope.singleton(CursorsToken, Cursors),
    };
  },
  async client() {
    const { mongodbClient } = await import('./client.js');
    return mongodbClient;
  },
  async player() {
    const { mongodbPlayer } = await import('./player.js');
    return mongodbPlayer;
  },
});
