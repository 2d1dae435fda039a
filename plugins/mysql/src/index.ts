import { definePlugin } from '@postern/plugin-sdk';
import { mysql } from './protocol.js';

export default definePlugin(mysql, {
  noun: 'db',
  async agent() {
    const [{ MysqlSession }, { MysqlProbe }, { LearnedGreetings, LearnedGreetingsToken }] = await Promise.all([
      import('./session.js'),
      import('./probe.js'),
      import('./learned-greetings.js'),
    ]);
    return {
      Session: MysqlSession,
      Probe: MysqlProbe,
      bind: (scope) => void scope.singleton(LearnedGreetingsToken, LearnedGreetings),
    };
  },
  async proxy() {
    const { mysqlProxy } = await import('./proxy.js');
    return mysqlProxy;
  },
  async client() {
    const { mysqlClient } = await import('./client.js');
    return mysqlClient;
  },
});
