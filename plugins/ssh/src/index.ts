import { definePlugin } from '@postern/plugin-sdk';
import { ssh } from './protocol.js';

/** SSH servers: the agent's own machine, for stock OpenSSH clients with certificates. */
export default definePlugin(ssh, {
  agent: () => import('./agent.js'),
  proxy: () => import('./proxy.js'),
  client: () => import('./client.js'),
  commands: [
    { name: 'ssh', usage: '[ssh options] login@node [command]', summary: 'Opens a shell or runs a command on a node.' },
    { name: 'scp', usage: '[scp options] source… target', summary: 'Copies files to, from or between nodes.' },
  ],
});
