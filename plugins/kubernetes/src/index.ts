import { definePlugin } from '@postern/plugin-sdk';
import { kubernetes } from './protocol.js';

export default definePlugin(kubernetes, {
  noun: 'kube',
  commands: [
    {
      name: 'credentials',
      usage: '',
      summary: 'Print the certificate as kubectl asks for it; kubeconfig files that psh writes run this.',
    },
  ],
  async agent() {
    const [{ KubernetesSession }, { KubernetesProbe }] = await Promise.all([
      import('./session.js'),
      import('./probe.js'),
    ]);
    return { Session: KubernetesSession, Probe: KubernetesProbe };
  },
  async client() {
    const { kubernetesClient } = await import('./client.js');
    return kubernetesClient;
  },
  async player() {
    const { kubernetesPlayer } = await import('./player.js');
    return kubernetesPlayer;
  },
});
