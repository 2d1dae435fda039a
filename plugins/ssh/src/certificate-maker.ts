import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { WireReader, WireWriter } from './wire.js';

const kinds = { user: 1, host: 2 } as const;
const lifeSeconds = 60n;
const blockSize = 8;

/** An Ed25519 key that exists for one self-test. */
export class ThrowawayKey {
  readonly publicKey: Buffer;
  /** The private key in OpenSSH's own format. */
  readonly text: string;
  readonly #key: KeyObject;

  constructor() {
    this.#key = generateKeyPairSync('ed25519').privateKey;
    const { x = '', d = '' } = this.#key.export({ format: 'jwk' });
    const [point, seed] = [Buffer.from(x, 'base64url'), Buffer.from(d, 'base64url')];
    this.publicKey = new WireWriter().string('ssh-ed25519').string(point).end();
    this.text = privateKeyFile(this.publicKey, point, seed);
  }

  /** `string algorithm | string value` */
  sign(data: Buffer): Buffer {
    return new WireWriter()
      .string('ssh-ed25519')
      .string(sign(null, data, this.#key))
      .end();
  }
}

/** An unencrypted key file (PROTOCOL.key). ssh2 can make one too, but not always one that it can read. */
function privateKeyFile(publicKey: Buffer, point: Buffer, seed: Buffer): string {
  const check = randomBytes(4);
  const fields = new WireWriter().raw(check).raw(check).string('ssh-ed25519').string(point);
  const secret = fields
    .string(Buffer.concat([seed, point]))
    .string('')
    .end();
  const padding = Buffer.from(Array.from({ length: -secret.length & (blockSize - 1) }, (_, index) => index + 1));
  const file = new WireWriter().raw(Buffer.from('openssh-key-v1\0')).string('none').string('none').string('');
  const encoded = file
    .uint32(1)
    .string(publicKey)
    .string(Buffer.concat([secret, padding]))
    .end()
    .toString('base64');
  const lines = encoded.match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
}

/** The least that is a certificate (PROTOCOL.certkeys): one name, one minute, no options. */
export function makeCertificate(
  kind: keyof typeof kinds,
  name: string,
  subject: ThrowawayKey,
  authority: ThrowawayKey,
): Buffer {
  const now = BigInt(Math.floor(Date.now() / 1000));
  const fields = new WireReader(subject.publicKey);
  fields.string();
  const body = new WireWriter()
    .string('ssh-ed25519-cert-v01@openssh.com')
    .string(randomBytes(32))
    .raw(fields.rest())
    .uint64(1n)
    .uint32(kinds[kind])
    .string(name)
    .string(new WireWriter().string(name).end())
    .uint64(now - lifeSeconds)
    .uint64(now + lifeSeconds);
  const signed = body.string('').string('').string('').string(authority.publicKey).end();
  return new WireWriter().raw(signed).string(authority.sign(signed)).end();
}
