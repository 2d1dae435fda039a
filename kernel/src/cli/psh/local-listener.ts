import { chmod, lstat, mkdir, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import { dirname, resolve } from 'node:path';
import { PosternError, type LocalAddress } from '@postern/plugin-sdk';
import { ownerOf } from './peer-owner.js';

/** Accepts connections of this user alone. Disposing of it cuts them and leaves nothing behind. */
export interface LocalListener extends AsyncDisposable {
  readonly address: LocalAddress;
}

/** A unix socket with mode 0600. Its directory is made with 0700, or must not be writable by others. */
export async function listenPrivately(path: string, serve: (socket: net.Socket) => void): Promise<LocalListener> {
  const full = resolve(path);
  await mkdir(dirname(full), { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(dirname(full));
  if ((mode & 0o022) !== 0 || (uid !== process.getuid?.() && uid !== 0))
    throw PosternError.public('access_denied', `${dirname(full)} is writable by others: use a directory of your own`);
  await removeStale(full);
  const before = process.umask(0o177);
  try {
    const listener = await listen({ path: full }, serve);
    await chmod(full, 0o600);
    return listener;
  } finally {
    process.umask(before);
  }
}

/** A loopback port. Whoever connects is looked up: another user's connection is closed before a byte is read. */
export async function listenLoopback(port: number, serve: (socket: net.Socket) => void): Promise<LocalListener> {
  const mine = process.getuid?.();
  const guarded = (socket: net.Socket): void => {
    socket.on('error', () => {});
    ownerOf(socket).then(
      (owner) => {
        if (socket.destroyed) return;
        if (owner === mine) return serve(socket);
        process.stderr.write(
          `psh: a connection of ${owner === undefined ? 'an unknown user' : `user ${owner}`} was refused\n`,
        );
        socket.destroy();
      },
      () => socket.destroy(),
    );
  };
  if (process.platform !== 'linux')
    throw PosternError.public('unavailable', 'nobody can tell here who connects to a port: use --socket');
  return listen({ host: '127.0.0.1', port }, guarded);
}

async function listen(options: net.ListenOptions, serve: (socket: net.Socket) => void): Promise<LocalListener> {
  const open = new Set<net.Socket>();
  // Half-open: a client that has said everything still waits for the answer.
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(socket);
  });
  await new Promise<void>((yes, no) => {
    server.once('error', (cause) => no(PosternError.public('unavailable', `cannot listen: ${cause.message}`, cause)));
    server.listen(options, yes);
  });
  const bound = server.address() as net.AddressInfo | string;
  return {
    address: addressOf(bound),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

const addressOf = (bound: net.AddressInfo | string): LocalAddress =>
  typeof bound === 'string' ? { kind: 'socket', path: bound } : { kind: 'port', host: bound.address, port: bound.port };

/** A socket that nobody listens on is left over; anything else stays. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) throw PosternError.public('already_exists', `${path} exists and is no socket`);
  const alive = await new Promise<boolean>((yes) => {
    const probe = net.connect({ path }, () => yes(true)).on('error', () => yes(false));
    probe.on('connect', () => probe.destroy());
  });
  if (alive) throw PosternError.public('already_exists', `another program listens on ${path}`);
  await rm(path, { force: true });
}
