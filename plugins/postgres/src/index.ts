import { definePlugin } from '@postern/plugin-sdk';
import { postgres } from './protocol.js';

export default definePlugin(postgres, {
  noun: 'db',
  async agent() {
    const [{ PostgresSession }, { PostgresProbe }, { LiveSessions, LiveSessionsToken }] = await Promise.all([
      import('./session.js'),
      import('./probe.js'),
      import('./live-sessions.js'),
    ]);
    return {
      Session: PostgresSession,
      Probe: PostgresProbe,
      bind: (scope) => void scope.singleton(LiveSessionsToken, LiveSessions),
    };
  },
  async proxy() {
    const { postgresProxy } = await import('./proxy.js');
    return postgresProxy;
  },
  async client() {
    const { postgresClient } = await import('./client.js');
    return postgresClient;
  },
});
