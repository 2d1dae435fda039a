import { definePlugin } from '@postern/plugin-sdk';
import { redis } from './protocol.js';

export default definePlugin(redis, {
  noun: 'db',
  async agent() {
    const [{ RedisSession }, { RedisProbe }] = await Promise.all([import('./session.js'), import('./probe.js')]);
    return { Session: RedisSession, Probe: RedisProbe };
  },
  async client() {
    const { redisClient } = await import('./client.js');
    return redisClient;
  },
});
