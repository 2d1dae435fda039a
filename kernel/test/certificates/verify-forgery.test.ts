import assert from 'node:assert/strict';
import { identityOid, serviceOid, verifyUserCertificate, type IdentityClaims } from '../../src/certificates/index.js';
import { wrapExtension } from '../../src/certificates/extension-json.js';
import { encodeIdentityExtension } from '../../src/certificates/identity-extension.js';
import { encodeServiceExtension } from '../../src/certificates/service-extension.js';
import { clientAuth, serverAuth } from '../../src/certificates/x509-issue.js';
import { encodeExtension } from '../../src/certificates/x509-extension.js';
import { forge, looseAuthority, type Forgery } from './forgery.js';
import { claims, cluster, refusal } from './support.js';

const now = new Date();
const identity: IdentityClaims = { ...claims, cluster };

describe('a forged user certificate', () => {
  const forgeries: readonly { name: string; forgery: Forgery; reason: RegExp }[] = [
    { name: 'may sign certificates', forgery: { ca: true }, reason: /it is an authority/ },
    { name: 'is for servers', forgery: { usages: [serverAuth] }, reason: /key usage is another/ },
    { name: 'is for servers too', forgery: { usages: [clientAuth, serverAuth] }, reason: /key usage is another/ },
    { name: 'is for no purpose', forgery: { usages: [] }, reason: /key usage is another|malformed/ },
    { name: 'names another user in its subject', forgery: { subject: 'root' }, reason: /not its user/ },
    {
      name: 'also says that it is a service',
      forgery: {
        extensions: [encodeExtension(serviceOid, encodeServiceExtension({ cluster, name: 'a', services: ['auth'] }))],
      },
      reason: /another purpose/,
    },
    {
      name: 'has a critical extension that nobody knows',
      forgery: { extensions: [encodeExtension('1.3.6.1.4.1.99999.1', Buffer.from('0500', 'hex'), true)] },
      reason: /not understood/,
    },
    {
      name: 'says who the user is twice',
      forgery: { extensions: [encodeExtension(identityOid, encodeIdentityExtension(identity))] },
      reason: /malformed/,
    },
    { name: 'carries an identity that is no JSON', forgery: { identity: wrapExtension('{') }, reason: /not JSON/ },
    {
      name: 'carries an identity of another shape',
      forgery: { identity: wrapExtension('{"v":1,"user":"alice"}') },
      reason: /malformed/,
    },
    { name: 'carries an identity that is no text', forgery: { identity: Buffer.from([4, 0]) }, reason: /UTF8String/ },
    { name: 'carries an empty identity', forgery: { identity: Buffer.alloc(0) }, reason: /UTF8String/ },
  ];
  for (const { name, forgery, reason } of forgeries)
    it(`is refused where it ${name}, even when its authority signed that`, async () => {
      const { authority, trust } = await looseAuthority('user');
      const certificate = await forge(authority, forgery);
      assert.throws(() => verifyUserCertificate(certificate, trust, now), refusal('unauthenticated', reason));
    });
});
