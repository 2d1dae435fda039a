/**
 * RC4, as NTLM seals messages with it (MS-NLMP 3.4.3). Gone from OpenSSL 3.
 * What it protects here travels inside TLS.
 */
export class Rc4 {
  readonly #state = Uint8Array.from({ length: 256 }, (_, index) => index);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    for (let i = 0, j = 0; i < 256; i += 1) {
      j = (j + this.#at(i) + (key[i % key.length] ?? 0)) & 255;
      this.#swap(i, j);
    }
  }

  /** Encrypts or decrypts the next bytes of the stream. */
  update(bytes: Uint8Array): Buffer {
    const output = Buffer.allocUnsafe(bytes.length);
    bytes.forEach((byte, index) => {
      this.#i = (this.#i + 1) & 255;
      this.#j = (this.#j + this.#at(this.#i)) & 255;
      this.#swap(this.#i, this.#j);
      output[index] = byte ^ this.#at((this.#at(this.#i) + this.#at(this.#j)) & 255);
    });
    return output;
  }

  #at(index: number): number {
    return this.#state[index] ?? 0;
  }

  #swap(one: number, other: number): void {
    const kept = this.#at(one);
    this.#state[one] = this.#at(other);
    this.#state[other] = kept;
  }
}
