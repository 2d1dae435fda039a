import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import {
  formatCheckpoint,
  formatVerifierKey,
  noteVerifier,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signNote,
  type NoteSigner,
} from '../../src/audit/tlog/index.js';
import { codeIs, keysFor } from './support.js';

/** The examples that are published for the format, with their keys. */
const examples = [
  {
    name: 'the signed-note specification',
    key: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    note: 'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
  },
  {
    name: "Go's note package",
    key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    note: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
  },
];

/** The published private key of the second example: a seed of 32 bytes behind the type. */
function peter(): NoteSigner {
  const seed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1);
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1);
  return { name: 'PeterNeumann', publicKey, sign: (bytes) => sign(null, bytes, key) };
}

describe('a signed note', () => {
  for (const { name, key, note } of examples) {
    it(`of ${name} verifies`, () => {
      const opened = openNote(Buffer.from(note), [parseVerifierKey(key)]);
      assert.equal(`${opened.text}\n`, note.slice(0, note.indexOf('—')));
      assert.equal(opened.signers.length, 1);
    });

    it(`of ${name} fails with any single bit of it flipped`, () => {
      const bytes = Buffer.from(note);
      for (let at = 0; at < bytes.length * 8; at += 1) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
        assert.throws(() => openNote(flipped, [parseVerifierKey(key)]), `bit ${at}`);
      }
    });
  }

  it('is signed as the published key signs it', async () => {
    const { note } = examples[1] ?? assert.fail();
    assert.equal((await signNote(note.slice(0, note.indexOf('\n\n') + 1), peter())).toString(), note);
  });

  it('keeps empty lines in its text and is split at the last one', async () => {
    const { signer, verifier } = keysFor('log');
    const text = 'one\n\ntwo\n\n\nthree\n';
    assert.equal(openNote(await signNote(text, signer), [verifier]).text, text);
  });

  it('ignores the signatures of unknown keys', async () => {
    const [one, two] = [keysFor('one'), keysFor('two')];
    const note = await signNote('text\n', one.signer);
    const [, line = ''] = (await signNote('text\n', two.signer)).toString().split('\n\n');
    const both = Buffer.concat([note, Buffer.from(line)]);
    assert.deepEqual(openNote(both, [one.verifier]).signers, [one.verifier]);
    assert.deepEqual(openNote(both, [one.verifier, two.verifier]).signers, [one.verifier, two.verifier]);
    assert.throws(() => openNote(both, [keysFor('three').verifier]), codeIs('unauthenticated'));
  });

  it('is refused for one wrong signature of a known key beside a good one', async () => {
    const [one, two] = [keysFor('one'), keysFor('two')];
    const note = await signNote('text\n', one.signer);
    const [, line = ''] = (await signNote('another text\n', two.signer)).toString().split('\n\n');
    const both = Buffer.concat([note, Buffer.from(line)]);
    assert.throws(() => openNote(both, [one.verifier, two.verifier]), codeIs('unauthenticated'));
  });

  it("is not signed by a key of another's name, even where the key is the same", async () => {
    const { signer, verifier } = keysFor('one');
    const renamed = noteVerifier('two', signer.publicKey);
    const note = await signNote('text\n', signer);
    assert.notEqual(renamed.keyId, verifier.keyId);
    assert.throws(() => openNote(note, [renamed]), codeIs('unauthenticated'));
  });

  it('is not handed out where the signer made a signature that does not verify', async () => {
    const { signer } = keysFor('one');
    await assert.rejects(signNote('text\n', { ...signer, sign: () => Buffer.alloc(64) }), codeIs('internal'));
    await assert.rejects(signNote('no newline', signer), codeIs('invalid_argument'));
  });

  for (const { name, note } of [
    { name: 'no signatures', note: 'text\n' },
    { name: 'no final newline', note: 'text\n\n— one AAAAAAAA' },
    { name: 'a signature without a key id', note: 'text\n\n— one AAAA\n' },
    { name: 'base64 that could be written otherwise', note: 'text\n\n— one AAAAAAB=\n' },
    { name: 'a hyphen in place of the dash', note: 'text\n\n- one AAAAAAAA\n' },
    { name: 'a plus in a key name', note: 'text\n\n— o+e AAAAAAAA\n' },
    { name: 'a carriage return', note: 'text\r\n\n— one AAAAAAAA\n' },
    { name: 'a tab', note: 'te\txt\n\n— one AAAAAAAA\n' },
    { name: 'bytes that are no UTF-8', note: Buffer.from('74ff0a0ae28094206f6e6520414141414141410a', 'hex') },
    { name: 'a thousand signatures', note: `text\n\n${'— one AAAAAAAA\n'.repeat(1000)}` },
    { name: 'more bytes than any note has', note: `${'x'.repeat(300_000)}\n\n— one AAAAAAAA\n` },
  ])
    it(`with ${name} is none`, () => {
      assert.throws(() => parseNote(Buffer.from(note as string)), codeIs('protocol_violation'));
    });
});

describe('a verifier key', () => {
  it('is written and read back', () => {
    const { signer, verifier } = keysFor('postern.example.com/audit/auth-1');
    const text = formatVerifierKey(signer.name, signer.publicKey);
    assert.equal(parseVerifierKey(text).keyId, verifier.keyId);
    assert.match(text, /^postern\.example\.com\/audit\/auth-1\+[0-9a-f]{8}\+/);
  });

  for (const text of [
    'PeterNeumann',
    'PeterNeumann+c74f20a3',
    'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
    'two words+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  ])
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseVerifierKey(text), codeIs('invalid_argument'));
    });

  it('needs a name without spaces and 32 bytes', () => {
    assert.throws(() => noteVerifier('', Buffer.alloc(32)), codeIs('invalid_argument'));
    assert.throws(() => noteVerifier('a\u00a0b', Buffer.alloc(32)), codeIs('invalid_argument'));
    assert.throws(() => noteVerifier('a', Buffer.alloc(31)), codeIs('invalid_argument'));
  });
});

describe('a checkpoint', () => {
  const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';

  it('of the tlog-checkpoint specification is read and written back', () => {
    const checkpoint = parseCheckpoint(text);
    assert.equal(checkpoint.origin, 'example.com/behind-the-sofa');
    assert.equal(checkpoint.size, 20852163);
    assert.equal(formatCheckpoint(checkpoint), text);
  });

  it('may have extension lines', () => {
    assert.equal(parseCheckpoint(`${text}more\nand more\n`).size, 20852163);
  });

  for (const { name, bad } of [
    { name: 'a size with leading zeroes', bad: text.replace('20852163', '020852163') },
    { name: 'a negative size', bad: text.replace('20852163', '-1') },
    { name: 'a size beyond what can be counted', bad: text.replace('20852163', '9999999999999999') },
    { name: 'a short root', bad: text.replace('CsUYapGGPo4d', '') },
    { name: 'no origin', bad: text.replace('example.com/behind-the-sofa', '') },
    { name: 'an empty extension line', bad: `${text}\nmore\n` },
    { name: 'no root', bad: 'origin\n1\n' },
    { name: 'no final newline', bad: text.trimEnd() },
  ])
    it(`with ${name} is refused`, () => {
      assert.throws(() => parseCheckpoint(bad), codeIs('protocol_violation'));
    });

  it('of another log is refused although the key is known', async () => {
    const { signer, verifier } = keysFor('log');
    const note = await signNote(text, signer);
    assert.equal(openCheckpoint(note, [verifier]).size, 20852163);
    assert.throws(() => openCheckpoint(note, [verifier], 'example.com/other'), codeIs('unauthenticated'));
  });
});
