import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The server's side of SCRAM-SHA-256, written from RFC 5802 and apart from the client's. */
export class ScramServer {
  readonly salt = randomBytes(16);
  #clientFirst = '';
  #serverFirst = '';

  constructor(
    private readonly password: string,
    private readonly iterations = 4096,
  ) {}

  /** The header by which the client says what it knows of channel binding. */
  get header(): string {
    return this.#clientFirst.split('n=')[0] ?? '';
  }

  first(clientFirst: string): string {
    this.#clientFirst = clientFirst;
    const nonce = clientFirst.slice(clientFirst.indexOf('r=') + 2);
    this.#serverFirst = `r=${nonce}${randomBytes(9).toString('base64')},s=${this.salt.toString('base64')},i=${this.iterations}`;
    return this.#serverFirst;
  }

  /** Checks the proof and answers with our own; undefined where the client does not know the password. */
  final(clientFinal: string): string | undefined {
    const at = clientFinal.lastIndexOf(',p=');
    const bare = this.#clientFirst.slice(this.header.length);
    const message = `${bare},${this.#serverFirst},${clientFinal.slice(0, at)}`;
    const salted = pbkdf2Sync(this.password, this.salt, this.iterations, 32, 'sha256');
    const stored = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
    const signature = hmac(stored, message);
    const proof = Buffer.from(clientFinal.slice(at + 3), 'base64');
    const key = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
    if (!createHash('sha256').update(key).digest().equals(stored)) return undefined;
    return `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`;
  }
}
