import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from '@mongodb-js/saslprep';
import { PosternError } from '@postern/plugin-sdk';

/** RFC 7677 asks for 4096 at least: a server that wants less is after a proof that is cheap to guess from. */
const minIterations = 4096;
/** What a hostile server may have us compute, off the event loop: less than a second. */
const maxIterations = 1_000_000;

const derive = promisify(pbkdf2);
const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** What ties the exchange to the TLS connection (RFC 5929). */
export type ChannelBinding =
  /** The connection has no TLS, or a certificate that gives no binding. */
  | { readonly kind: 'unsupported' }
  /** We could, and the server did not offer: it must say so if somebody removed its offer. */
  | { readonly kind: 'not-offered' }
  | { readonly kind: 'tls-server-end-point'; readonly data: Buffer };

const gs2Header = (binding: ChannelBinding): string =>
  ({ unsupported: 'n,,', 'not-offered': 'y,,', 'tls-server-end-point': 'p=tls-server-end-point,,' })[binding.kind];

const broken = (what: string): PosternError =>
  new PosternError('upstream_auth', `scram: ${what}`, {
    publicMessage: 'the database could not prove that it knows the password',
  });

/**
 * The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677). The
 * user name is empty, as PostgreSQL takes the one of the startup message.
 */
export class Scram {
  readonly #nonce: string;
  readonly #header: string;
  #serverSignature: Buffer | undefined;

  constructor(
    private readonly password: string,
    private readonly binding: ChannelBinding,
    nonce = randomBytes(18).toString('base64'),
  ) {
    this.#nonce = nonce;
    this.#header = gs2Header(binding);
  }

  /** The client-first-message. */
  first(): string {
    return `${this.#header}${this.#firstBare()}`;
  }

  /** The client-final-message, which proves that we know the password. */
  async final(serverFirst: string): Promise<string> {
    const { nonce, salt, iterations } = readServerFirst(serverFirst);
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) throw broken('not our nonce');
    const data = this.binding.kind === 'tls-server-end-point' ? this.binding.data : Buffer.alloc(0);
    const channel = Buffer.concat([Buffer.from(this.#header), data]).toString('base64');
    const withoutProof = `c=${channel},r=${nonce}`;
    const message = `${this.#firstBare()},${serverFirst},${withoutProof}`;
    const salted = await derive(normalized(this.password), salt, iterations, 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Checks the server-final-message: a server that never knew the password cannot have written it. */
  verify(serverFinal: string): void {
    const claimed = Buffer.from(/^v=([A-Za-z0-9+/]+=*)(?:,|$)/.exec(serverFinal)?.[1] ?? '', 'base64');
    const expected = this.#serverSignature;
    if (!expected || claimed.length !== expected.length || !timingSafeEqual(claimed, expected))
      throw broken('wrong server signature');
  }

  #firstBare(): string {
    return `n=,r=${this.#nonce}`;
  }
}

/** `r=nonce,s=salt,i=iterations`; extensions may follow, and a mandatory one may not precede. */
function readServerFirst(text: string): { readonly nonce: string; readonly salt: Buffer; readonly iterations: number } {
  const match = /^r=([!-+\--~]+),s=([A-Za-z0-9+/]+=*),i=([1-9][0-9]{0,9})(?:,.*)?$/s.exec(text);
  if (!match) throw broken('malformed server-first-message');
  const iterations = Number(match[3]);
  if (iterations < minIterations || iterations > maxIterations) throw broken(`${iterations} iterations`);
  return { nonce: match[1] ?? '', salt: Buffer.from(match[2] ?? '', 'base64'), iterations };
}

/** As PostgreSQL does it: SASLprep where the password allows it, and the password as it is where not. */
function normalized(password: string): string {
  try {
    return saslprep(password) || password;
  } catch {
    return password;
  }
}
