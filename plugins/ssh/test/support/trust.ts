import { PosternError, type Identity } from '@postern/plugin-sdk';
import { fakeIdentity } from '@postern/plugin-sdk/testing';
import { fieldsOfKeyType, verifySignature } from '../../src/public-key.js';
import { keyTypeOfCertificate } from '../../src/algorithms.js';
import { WireReader } from '../../src/wire.js';

/** Verifies a user certificate as the kernel would: authority, signature, purpose and time. */
export function trust(authority: Buffer): (credential: { readonly blob: Buffer }) => Promise<Identity> {
  return async ({ blob }) => {
    const reader = new WireReader(blob);
    const fields = fieldsOfKeyType(keyTypeOfCertificate(reader.text()) ?? '') ?? 0;
    for (let field = 0; field <= fields; field += 1) reader.string();
    const serial = reader.uint64();
    const kind = reader.uint32();
    reader.string();
    reader.string();
    const from = reader.uint64();
    const to = reader.uint64();
    for (let field = 0; field < 3; field += 1) reader.string();
    const signer = reader.string();
    const signed = blob.subarray(0, reader.offset);
    if (!signer.equals(authority) || kind !== 1)
      throw PosternError.public('unauthenticated', 'the certificate is not of this cluster; run psh login');
    if (!verifySignature(signer, 'ssh-ed25519', signed, reader.string()))
      throw PosternError.public('unauthenticated', 'the certificate is forged');
    const now = BigInt(Math.floor(Date.now() / 1000));
    if (now < from || now >= to) throw PosternError.public('expired', 'the certificate has expired; run psh login');
    return fakeIdentity({ serial: serial.toString(16), expires: new Date(Number(to) * 1000) });
  };
}
