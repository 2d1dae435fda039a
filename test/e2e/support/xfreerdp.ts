import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { rdpClient } from '../../../plugins/rdp/src/client.js';
import rdp from '../../../plugins/rdp/src/index.js';
import { closed } from '../../../plugins/rdp/test/support/programs.js';
import type { TestCluster } from '../../support/cluster.js';
import type { TestLogin } from '../../support/login.js';

/** A native client that runs. */
export interface Viewing {
  readonly child: ChildProcess;
  /** What it printed so far. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

export interface ViewingOptions {
  readonly spec: Readonly<Record<string, unknown>>;
  /** Where it shows its window. */
  readonly display: string;
  readonly home: string;
}

/** Starts the program that `psh desktop connect desk` starts, behind a forwarder as it opens one. */
export async function viewing(
  cluster: TestCluster,
  login: TestLogin,
  { spec, display, home }: ViewingOptions,
): Promise<Viewing> {
  const sockets = new Set<net.Socket>();
  const forwarder = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    cluster.connect('rdp', 'desk', login, { alpn: ['rdp'] }).then(
      (stream) => {
        socket.pipe(stream.on('error', () => {})).pipe(socket);
        socket.once('close', () => stream.destroy());
      },
      () => socket.destroy(),
    );
  });
  forwarder.listen(0, '127.0.0.1');
  await once(forwarder, 'listening');
  const { port } = forwarder.address() as AddressInfo;
  const resource = { name: 'desk', labels: {}, spec: rdp.protocol.auth.resource.parse(spec) };
  const options = {
    options: {},
    args: ['/size:800x600', '/log-level:INFO'],
    local: { kind: 'port', host: '127.0.0.1', port },
  } as const;
  const target = { resource, hostname: '', principals: ['na'] };
  const { program, args } = rdpClient.connect?.({} as never, target, options) ?? { program: '', args: [] };
  const child = spawn(program, args, {
    env: { ...process.env, DISPLAY: display, HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed(child);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => forwarder.close(resolve));
  };
  return { child, output: () => text, stop };
}
