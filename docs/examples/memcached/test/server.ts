import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameReader } from '@postern/plugin-sdk';
import { dialTcp, loopback, type Upstream } from '@postern/plugin-sdk/testing';

/** A memcached of this machine, on a free port of the loopback interface. */
export async function realMemcached(program: string): Promise<Upstream> {
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(program, ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-m', '64', ...user], {
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const spec = { host: '127.0.0.1', port };
  for (let tries = 0; ; tries += 1) {
    const socket = await dialTcp(spec).catch(() => undefined);
    socket?.destroy();
    if (socket) break;
    if (tries > 200 || child.exitCode !== null) throw new Error('memcached does not listen');
    await sleep(20);
  }
  const close = async (): Promise<void> => {
    child.kill();
    await exited;
  };
  return { spec, close };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** As much of memcached as the conformance kit asks for, for machines without one. */
export async function fakeMemcached(): Promise<Upstream> {
  const values = new Map<string, Buffer>();
  const server = await loopback((socket) => {
    const frames = new FrameReader(socket, 2 << 20);
    const answer = async (): Promise<void> => {
      for (let line = await frames.line(); line !== undefined; line = await frames.line()) {
        const [verb, key = '', , , size] = line.split(' ');
        if (verb === 'set') {
          values.set(key, (await frames.bytes(Number(size) + 2)).subarray(0, -2));
          socket.write('STORED\r\n');
        } else if (verb === 'get') {
          const value = values.get(key);
          if (value)
            socket.write(
              Buffer.concat([Buffer.from(`VALUE ${key} 0 ${value.length}\r\n`), value, Buffer.from('\r\n')]),
            );
          socket.write('END\r\n');
        } else socket.write(verb === 'version' ? 'VERSION 1.6.0-fake\r\n' : 'ERROR\r\n');
      }
    };
    answer().then(
      () => socket.end(),
      () => socket.destroy(),
    );
  });
  return { spec: { host: server.host, port: server.port }, close: () => server.close() };
}
