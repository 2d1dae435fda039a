import { definePlugin } from '@postern/plugin-sdk';
import { rdp } from './protocol.js';

export default definePlugin(rdp, {
  noun: 'desktop',
  async agent() {
    const [{ RdpSession }, { RdpProbe }, { InnerTls, InnerTlsToken }] = await Promise.all([
      import('./session.js'),
      import('./probe.js'),
      import('./inner-tls.js'),
    ]);
    return { Session: RdpSession, Probe: RdpProbe, bind: (scope) => void scope.singleton(InnerTlsToken, InnerTls) };
  },
  async client() {
    const { rdpClient } = await import('./client.js');
    return rdpClient;
  },
  async player() {
    const { rdpPlayer } = await import('./player.js');
    return rdpPlayer;
  },
  web: {
    // Beside the package's description, whoever was bundled from where.
    assets: new URL('web/dist/', import.meta.resolve('@postern/plugin-rdp/package.json')),
    wasm: true,
    views: { launch: { element: 'rdp-desktop', module: 'desktop-element.js' } },
  },
});
