import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeOpenSshKey,
  knownHostsLines,
  openSshFingerprint,
  openSshLine,
  parseOpenSshLine,
  verifyOpenSshCertificate,
} from '../../src/certificates/index.js';
import { issueOpenSshCertificate } from '../../src/certificates/openssh-issue.js';
import { authorityTypes, expectation, keyTypes, trusting } from './openssh-support.js';
import { cluster, ed25519, inDirectory, output, refusal, signingKey } from './support.js';

const now = new Date();
const period = { notBefore: new Date(now.getTime() - 60_000), notAfter: new Date(now.getTime() + 3_600_000) };

describe('an OpenSSH certificate and the tools of OpenSSH', () => {
  for (const authorityType of authorityTypes) {
    const authority = authorityType.make();
    const authorityBlob = encodeOpenSshKey(createPublicKey(authority));
    for (const subjectType of keyTypes)
      it(`for ${subjectType.name} by ${authorityType.name} is accepted by ssh-keygen and by us`, async () => {
        const { blob, serial } = await issueOpenSshCertificate(
          {
            kind: 'user',
            key: createPublicKey(subjectType.make()),
            keyId: 'alice in session 1',
            principals: ['alice', 'deploy'],
            period,
            criticalOptions: [['source-address', '10.0.0.0/8']],
            extensions: [
              ['permit-pty', ''],
              ['a@postern', 'value'],
            ],
          },
          signingKey(authority),
        );
        const { certificate } = verifyOpenSshCertificate(blob, expectation(trusting(authorityBlob)));
        assert.deepEqual([certificate.keyId, certificate.serial], ['alice in session 1', serial]);
        const shown = inDirectory({ 'key-cert.pub': openSshLine(blob) }, (directory) =>
          output('ssh-keygen', '-L', '-f', `${directory}/key-cert.pub`),
        );
        for (const part of [
          'user certificate',
          `${openSshFingerprint(authorityBlob)}`,
          'Key ID: "alice in session 1"',
          `Serial: ${serial}`,
          'deploy',
          'source-address 10.0.0.0/8',
          'permit-pty',
          'a@postern UNKNOWN OPTION',
        ])
          assert.ok(shown.includes(part), part);
        assert.doesNotMatch(shown, /using ssh-rsa\)/);
      });
  }

  describe('that ssh-keygen made', () => {
    let directory = '';
    before(() => {
      directory = mkdtempSync(join(tmpdir(), 'postern-openssh-'));
      for (const { name, keygen } of keyTypes)
        output('ssh-keygen', '-q', ...keygen, '-N', '', '-C', name, '-f', join(directory, name));
    });
    after(() => rmSync(directory, { recursive: true, force: true }));

    for (const authorityType of authorityTypes)
      for (const subjectType of keyTypes)
        it(`for ${subjectType.name} by ${authorityType.name} is accepted`, () => {
          const options = [
            '-I',
            'id 1',
            '-n',
            'alice,bob',
            '-z',
            '42',
            '-V',
            '-1h:+1h',
            '-O',
            'source-address=10.1.2.3/32',
          ];
          const [authority, subject] = [authorityType.name, subjectType.name].map((name) => join(directory, name));
          output('ssh-keygen', '-q', '-s', authority ?? '', ...options, `${subject}.pub`);
          const blob = parseOpenSshLine(readFileSync(`${subject}-cert.pub`, 'utf8'));
          const authorityBlob = parseOpenSshLine(readFileSync(`${authority}.pub`, 'utf8'));
          const { certificate } = verifyOpenSshCertificate(blob, expectation(trusting(authorityBlob)));
          assert.deepEqual(certificate.principals, ['alice', 'bob']);
          assert.equal(certificate.serial, 42n);
          assert.deepEqual([...certificate.criticalOptions], [['source-address', '10.1.2.3/32']]);
          assert.ok(certificate.extensions.has('permit-pty'));
          assert.deepEqual(certificate.key, parseOpenSshLine(readFileSync(`${subject}.pub`, 'utf8')));
        });

    it('with SHA-1 is refused', () => {
      const [authority = '', subject = ''] = ['rsa-2048', 'ed25519'].map((name) => join(directory, name));
      output('ssh-keygen', '-q', '-s', authority, '-t', 'ssh-rsa', '-I', 'x', '-n', 'alice', `${subject}.pub`);
      const blob = parseOpenSshLine(readFileSync(`${subject}-cert.pub`, 'utf8'));
      const trust = trusting(parseOpenSshLine(readFileSync(`${authority}.pub`, 'utf8')));
      assert.throws(
        () => verifyOpenSshCertificate(blob, expectation(trust)),
        refusal('unauthenticated', /does not verify/),
      );
    });

    it('without principals, for ever, is refused', () => {
      const [authority = '', subject = ''] = ['ecdsa-p256', 'ed25519'].map((name) => join(directory, name));
      output('ssh-keygen', '-q', '-s', authority, '-I', 'x', `${subject}.pub`);
      const blob = parseOpenSshLine(readFileSync(`${subject}-cert.pub`, 'utf8'));
      const trust = trusting(parseOpenSshLine(readFileSync(`${authority}.pub`, 'utf8')));
      for (const principal of ['any', { name: 'alice' }] as const)
        assert.throws(
          () => verifyOpenSshCertificate(blob, { ...expectation(trust), principal }),
          refusal('unauthenticated', /no principals/),
        );
    });
  });

  const authorityBlob = encodeOpenSshKey(ed25519().publicKey);

  it('is known to a client that has the authority in its known_hosts', () => {
    const lines = knownHostsLines(cluster, [authorityBlob, encodeOpenSshKey(ed25519().publicKey)]);
    assert.match(lines, /^(@cert-authority \*\.cluster\.test ssh-ed25519 [A-Za-z0-9+/=]+\n){2}$/);
    inDirectory({ known_hosts: lines }, (directory) => {
      const found = output('ssh-keygen', '-F', `node1.${cluster}`, '-f', `${directory}/known_hosts`);
      assert.match(found, /CA/);
    });
    assert.throws(() => knownHostsLines('a b', [authorityBlob]), refusal('invalid_argument', /cluster name/));
  });
});
