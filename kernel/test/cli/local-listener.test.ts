import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { listenLoopback, listenPrivately, type LocalListener } from '../../src/cli/psh/local-listener.js';
import { ownerIn, ownerOf } from '../../src/cli/psh/peer-owner.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const echo = (socket: net.Socket): void => void socket.pipe(socket);

async function said(options: net.NetConnectOpts, text: string): Promise<string> {
  const socket = net.connect(options);
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 30 10 -1
   3: 0500A8C0:C351 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 4 1 0 20 4 30 10 -1
   4: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:1F90 01 0:0 00:0 0  1002        0 5
`;

describe('the owner of a loopback connection', () => {
  it('is read from the row of the other end', () => {
    assert.equal(ownerIn(table, { from: 50_000, to: 8080 }), 1000);
    assert.equal(ownerIn(table, { from: 50_002, to: 8080 }), 1002);
  });

  it('is unknown where the row is missing, or of another address', () => {
    assert.equal(ownerIn(table, { from: 50_001, to: 8080 }), undefined);
    assert.equal(ownerIn(table, { from: 50_003, to: 8080 }), undefined);
    assert.equal(ownerIn('', { from: 1, to: 2 }), undefined);
  });

  it('is unknown, and not root, once another user has sent what should look like root’s and closed the socket', () => {
    const orphan = '0: 0100007F:C350 0100007F:1F90 04 00000000:00000000 00:00000000 00000000     0        0 0 1 0';
    assert.equal(ownerIn(orphan, { from: 50_000, to: 8080 }), undefined);
  });

  it('is this user for a connection of this process', async () => {
    await using listener = await listenLoopback(0, (socket) => {
      ownerOf(socket).then(
        (owner) => socket.end(String(owner)),
        () => socket.destroy(),
      );
    });
    assert.equal(await said({ host: '127.0.0.1', port: portOf(listener) }, ''), String(process.getuid?.()));
  });
});

describe('a local listener', () => {
  it('serves many connections on a port', async () => {
    await using listener = await listenLoopback(0, echo);
    const port = portOf(listener);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => said({ host: '127.0.0.1', port }, `${index}`)),
    );
    assert.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, index) => `${index}`),
    );
  });

  it('has a socket that only its owner can open, and takes it away', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'private', 's');
    {
      await using _listener = await listenPrivately(path, echo);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.equal((await stat(join(directory.path, 'private'))).mode & 0o777, 0o700);
      assert.equal(await said({ path }, 'x'), 'x');
    }
    assert.deepEqual(await readdir(join(directory.path, 'private')), []);
  });

  it('refuses a directory in which others could replace the socket', async () => {
    await using directory = await temporaryDirectory();
    const open = join(directory.path, 'open');
    await mkdir(open);
    await chmod(open, 0o777);
    await assert.rejects(listenPrivately(join(open, 's'), echo), { code: 'access_denied' });
  });

  it('takes the place of a socket that is left over, and of nothing else', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 's');
    await writeFile(path, 'mine');
    await assert.rejects(listenPrivately(path, echo), { code: 'already_exists' });
    const used = join(directory.path, 'used');
    await using _first = await listenPrivately(used, echo);
    await assert.rejects(listenPrivately(used, echo), { code: 'already_exists' });
    const left = join(directory.path, 'left');
    await leaveSocket(left);
    await using _third = await listenPrivately(left, echo);
    assert.equal(await said({ path: left }, 'x'), 'x');
  });

  it('cuts its connections when it is closed', async () => {
    const listener = await listenLoopback(0, () => {});
    const socket = net.connect({ host: '127.0.0.1', port: portOf(listener) });
    await once(socket, 'connect');
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    socket.resume();
    await listener[Symbol.asyncDispose]();
    await closed;
  });
});

/** A socket file whose owner died without removing it. */
async function leaveSocket(path: string): Promise<void> {
  const { spawnSync } = await import('node:child_process');
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script, path]);
  assert.ok((await stat(path)).isSocket());
}

function portOf({ address }: LocalListener): number {
  assert.equal(address.kind, 'port');
  return address.port;
}
