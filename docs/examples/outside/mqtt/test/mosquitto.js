import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where Debian keeps the broker. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

/** A broker on a free port of the loopback interface; with a password, for nobody else than `app`. */
export async function startMosquitto(/** @type {string | undefined} */ password = undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'mosquitto-'));
  const port = await freePort();
  const lines = [`listener ${port} 127.0.0.1`, `user ${userInfo().username}`, `allow_anonymous ${!password}`];
  if (password) {
    const file = join(directory, 'passwords');
    await writeFile(file, `app:${password}\n`, { mode: 0o600 });
    spawnSync('mosquitto_passwd', ['-U', file], { env });
    lines.push(`password_file ${file}`);
  }
  await writeFile(join(directory, 'mosquitto.conf'), `${lines.join('\n')}\n`);
  const child = spawn('mosquitto', ['-c', join(directory, 'mosquitto.conf')], { env, stdio: 'ignore' });
  const exited = once(child, 'exit');
  for (let tries = 0; !(await listens(port)); tries += 1) {
    if (tries > 500 || child.exitCode !== null) throw new Error('mosquitto does not listen');
    await sleep(20);
  }
  const close = async () => {
    child.kill();
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  return { port, close };
}

const listens = (port) =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port }, () => resolve(socket.destroy()));
    socket.on('error', () => resolve(undefined));
  });

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
