import { definePlugin } from '@postern/plugin-sdk';
import { https } from './protocol.js';

export default definePlugin(https, {
  noun: 'app',
  async agent() {
    const [{ HttpsSession }, { HttpsProbe }] = await Promise.all([import('./session.js'), import('./probe.js')]);
    return { Session: HttpsSession, Probe: HttpsProbe };
  },
  async client() {
    const { httpsClient } = await import('./client.js');
    return httpsClient;
  },
  async player() {
    const { httpsPlayer } = await import('./player.js');
    return httpsPlayer;
  },
});
