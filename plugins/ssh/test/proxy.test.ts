import assert from 'node:assert/strict';
import type { Opening } from '@postern/plugin-sdk';
import { loopback } from '@postern/plugin-sdk/testing';
import { open, recognise } from '../src/proxy.js';
import { run } from './support/openssh.js';

describe('an SSH client at the public port', () => {
  it('is recognised by its first bytes', () => {
    assert.equal(recognise(Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')), 'yes');
    for (const head of ['', 'S', 'SSH']) assert.equal(recognise(Buffer.from(head)), 'more');
    for (const head of ['\x16\x03\x01', 'SSL', 'GET ', 'ssh-']) assert.equal(recognise(Buffer.from(head)), 'no');
  });

  it('is told where to go, in words that it shows', async () => {
    const server = await loopback((socket) => {
      socket.once('data', (head: Buffer) => {
        assert.equal(recognise(head), 'yes');
        const opening = { write: async (data: Buffer) => void socket.write(data) } as unknown as Opening;
        void open(opening).then(() => socket.end());
      });
    });
    try {
      const result = await run('ssh', ['-F', 'none', '-p', String(server.port), 'alice@127.0.0.1'], {});
      assert.equal(result.code, 255);
      assert.match(
        result.stderr,
        /Received disconnect from 127.0.0.1 port \d+:1: this is not an SSH server; run psh login/,
      );
    } finally {
      await server.close();
    }
  });
});
