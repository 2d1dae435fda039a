import { createHmac, randomBytes } from 'node:crypto';
import { u16, u32 } from '../../src/bytes.js';
import { passwordKey, SealingKeys } from '../../src/ntlm.js';
import { Rc4 } from '../../src/rc4.js';

const hmac = (key: Buffer, ...parts: Buffer[]): Buffer =>
  parts.reduce((sum, part) => sum.update(part), createHmac('md5', key)).digest();

/** The server's side of NTLMv2, written from MS-NLMP 3.2.5 for tests. */
export class NtlmServer {
  readonly #nonce = randomBytes(8);
  #negotiate = Buffer.alloc(0);
  #challenge = Buffer.alloc(0);
  keys!: SealingKeys;

  constructor(private readonly password: string) {}

  challenge(negotiate: Uint8Array): Buffer {
    this.#negotiate = Buffer.from(negotiate);
    const time = Buffer.alloc(8, 1);
    const pairs = Buffer.concat([u16(2), u16(4), Buffer.from('AB', 'utf16le'), u16(7), u16(8), time, u32(0)]);
    const head = Buffer.concat([Buffer.from('NTLMSSP\0'), u32(2), u16(0), u16(0), u32(56), u32(0xe2888235)]);
    const info = Buffer.concat([u16(pairs.length), u16(pairs.length), u32(56), Buffer.alloc(8)]);
    this.#challenge = Buffer.concat([head, this.#nonce, Buffer.alloc(8), info, pairs]);
    return this.#challenge;
  }

  /** True where the client knows the password and nobody changed a message. */
  verify(token: Uint8Array): boolean {
    const message = Buffer.from(token);
    const field = (at: number): Buffer => {
      const offset = message.readUInt32LE(at + 4);
      return message.subarray(offset, offset + message.readUInt16LE(at));
    };
    const nt = field(20);
    const account = { domain: field(28).toString('utf16le'), user: field(36).toString('utf16le') };
    const key = passwordKey({ ...account, password: this.password });
    const proof = hmac(key, this.#nonce, nt.subarray(16));
    if (!proof.equals(nt.subarray(0, 16))) return false;
    const sessionKey = new Rc4(hmac(key, proof)).update(field(52));
    const claimed = Buffer.from(message.subarray(72, 88));
    message.fill(0, 72, 88);
    this.keys = new SealingKeys(sessionKey, true);
    return hmac(sessionKey, this.#negotiate, this.#challenge, message).equals(claimed);
  }
}
