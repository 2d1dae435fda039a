import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from '@mongodb-js/saslprep';
import { PosternError } from '@postern/plugin-sdk';

export type ScramMethod = 'scram-sha-256' | 'scram-sha-1';

const derive = promisify(pbkdf2);

/** Fewer are cheap to guess from (RFC 7677 asks for as many), more are more than a server may have us compute. */
const iterationsAllowed = { least: 4096, most: 1_000_000 };

const untrusted = (what: string): PosternError =>
  new PosternError('upstream_auth', `scram: ${what}`, {
    publicMessage: 'the server could not prove that it knows the password',
  });

/**
 * What is hashed in the place of the password: for SHA-1 the digest that
 * MongoDB has always kept, for SHA-256 the prepared password (MongoDB
 * authentication specification).
 */
function secretOf(method: ScramMethod, user: string, password: string): string {
  if (method === 'scram-sha-256') return saslprep(password);
  return createHash('md5').update(`${user}:mongo:${password}`).digest('hex');
}

/** The client's side of one SCRAM exchange (RFC 5802, RFC 7677), without channel binding, which MongoDB has not. */
export class ScramClient {
  readonly #hash: 'sha256' | 'sha1';
  readonly #bare: string;
  #expected: Buffer = Buffer.alloc(0);

  constructor(
    private readonly method: ScramMethod,
    private readonly user: string,
    private readonly password: string,
    private readonly nonce = randomBytes(24).toString('base64'),
  ) {
    this.#hash = method === 'scram-sha-256' ? 'sha256' : 'sha1';
    this.#bare = `n=${user.replace(/=/g, '=3D').replace(/,/g, '=2C')},r=${nonce}`;
  }

  get first(): string {
    return `n,,${this.#bare}`;
  }

  /** Our proof, for the server's challenge. */
  async answer(challenge: string): Promise<string> {
    const [, nonce = '', salt = '', count = ''] =
      /^r=([^,]+),s=([A-Za-z0-9+/]+=*),i=([1-9][0-9]{0,8})$/.exec(challenge) ?? [];
    if (!nonce.startsWith(this.nonce) || nonce === this.nonce) throw untrusted('a challenge to somebody else');
    const iterations = Number(count);
    if (iterations < iterationsAllowed.least || iterations > iterationsAllowed.most)
      throw untrusted(`${iterations} iterations`);
    const length = this.#hash === 'sha256' ? 32 : 20;
    const secret = secretOf(this.method, this.user, this.password);
    const salted = await derive(secret, Buffer.from(salt, 'base64'), iterations, length, this.#hash);
    const unproved = `c=biws,r=${nonce}`;
    const messages = [this.#bare, challenge, unproved].join(',');
    const key = this.#mac(salted, 'Client Key');
    const mask = this.#mac(createHash(this.#hash).update(key).digest(), messages);
    this.#expected = this.#mac(this.#mac(salted, 'Server Key'), messages);
    const proof = Buffer.from(key.map((byte, index) => byte ^ (mask[index] ?? 0)));
    return `${unproved},p=${proof.toString('base64')}`;
  }

  /** Whoever never knew the password cannot have written this. */
  verify(last: string): void {
    const shown = Buffer.from(/^v=([A-Za-z0-9+/=]+)/.exec(last)?.[1] ?? '', 'base64');
    if (
      this.#expected.length === 0 ||
      shown.length !== this.#expected.length ||
      !timingSafeEqual(shown, this.#expected)
    )
      throw untrusted('wrong server signature');
  }

  #mac(key: Buffer, data: string): Buffer {
    return createHmac(this.#hash, key).update(data).digest();
  }
}
