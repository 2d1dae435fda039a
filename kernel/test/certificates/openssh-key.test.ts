import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import {
  decodeOpenSshKey,
  encodeOpenSshKey,
  encodeOpenSshPrivateKey,
  openSshFingerprint,
  openSshLine,
  parseOpenSshLine,
} from '../../src/certificates/index.js';
import { WireWriter } from '../../src/certificates/openssh-wire.js';
import { keyTypes } from './openssh-support.js';
import { ed25519, inDirectory, output, refusal } from './support.js';

describe('an OpenSSH key', () => {
  for (const { name, make } of keyTypes) {
    it(`of type ${name} comes back from its encoding`, () => {
      const publicKey = createPublicKey(make());
      const blob = encodeOpenSshKey(publicKey);
      assert.ok(decodeOpenSshKey(blob).equals(publicKey));
      assert.deepEqual(parseOpenSshLine(openSshLine(blob, 'a comment')), blob);
    });

    it(`of type ${name} is written so that ssh-keygen reads it`, () => {
      const privateKey = make();
      const blob = encodeOpenSshKey(createPublicKey(privateKey));
      inDirectory({ key: encodeOpenSshPrivateKey(privateKey, 'alice') }, (directory) => {
        assert.equal(output('ssh-keygen', '-y', '-f', `${directory}/key`).trim(), openSshLine(blob, 'alice'));
        assert.ok(output('ssh-keygen', '-l', '-f', `${directory}/key`).includes(openSshFingerprint(blob)));
      });
    });

    it(`of type ${name} is refused when it is cut off or longer`, () => {
      const blob = encodeOpenSshKey(createPublicKey(make()));
      for (let length = 0; length < blob.length; length += 3)
        assert.throws(() => decodeOpenSshKey(blob.subarray(0, length)));
      assert.throws(() => decodeOpenSshKey(Buffer.concat([blob, Buffer.alloc(1)])), /trailing/);
    });
  }

  const blobs = [
    { name: 'of a type that is not accepted', blob: new WireWriter().string('ssh-dss').string('x').end() },
    {
      name: 'with a curve that is not its type’s',
      blob: new WireWriter().string('ecdsa-sha2-nistp256').string('nistp384').string(Buffer.alloc(65, 4)).end(),
    },
    {
      name: 'with a point that is not on its curve',
      blob: new WireWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(Buffer.alloc(65, 4)).end(),
    },
    {
      name: 'with a compressed point',
      blob: new WireWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(Buffer.alloc(33, 2)).end(),
    },
    { name: 'of 31 bytes', blob: new WireWriter().string('ssh-ed25519').string(Buffer.alloc(31, 9)).end() },
    {
      name: 'of RSA with 1024 bits',
      blob: new WireWriter()
        .string('ssh-rsa')
        .mpint(Buffer.from([1, 0, 1]))
        .mpint(Buffer.alloc(128, 0x81))
        .end(),
    },
    { name: 'named like a property of every object', blob: new WireWriter().string('constructor').string('x').end() },
  ];
  for (const { name, blob } of blobs)
    it(`${name} is refused`, () => {
      assert.throws(() => decodeOpenSshKey(blob));
    });

  for (const line of [
    '',
    'ssh-ed25519',
    'ssh-ed25519 AAAA',
    'restrict ssh-ed25519 AAAA',
    'ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA',
    'x\ny',
  ])
    it(`is not the line ${JSON.stringify(line)}`, () => {
      assert.throws(() => parseOpenSshLine(line), refusal('invalid_argument', /public key line/));
    });

  it('has a comment of one line', () => {
    const blob = encodeOpenSshKey(ed25519().publicKey);
    assert.throws(() => openSshLine(blob, 'a\nssh-rsa AAAA'), refusal('invalid_argument', /one line/));
  });
});
