import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { asBuffer, Cursor, Malformed, u16, u32 } from './bytes.js';
import type { Account } from './client-info.js';
import { md4 } from './md4.js';
import { Rc4 } from './rc4.js';

const signature = Buffer.from('NTLMSSP\0', 'latin1');

/** 56 and 128 bits, key exchange, version, target info, extended session security, sealing and signing, Unicode. */
const negotiated = 0xe288_8235;
const version = Buffer.from([10, 0, 0x61, 0x58, 0, 0, 0, 15]);

/** Ids of attribute-value pairs (MS-NLMP 2.2.2.1). */
const pair = { end: 0, flags: 6, timestamp: 7 } as const;

/** Where the integrity code of an AUTHENTICATE message stands. */
const micOffset = 72;
const headerBytes = 88;

const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((sum, part) => sum.update(part), createHmac('md5', key)).digest();
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

/** NTOWFv2 (MS-NLMP 3.3.2): what a domain controller keeps of a password, bound to its user. */
export const passwordKey = ({ user, domain, password }: Account): Buffer =>
  hmac(md4(utf16(password)), utf16(user.toUpperCase() + domain));

/** What an NTLM session draws on besides the account. */
export interface NtlmWorld {
  readonly random: (count: number) => Buffer;
  readonly now: () => Date;
}

/**
 * The client of one NTLMv2 authentication with session security (MS-NLMP):
 * `negotiate`, then `authenticate`, then sealed messages in both directions.
 */
export class NtlmClient {
  readonly negotiate = Buffer.concat([signature, u32(1), u32(negotiated), u32(0), u32(40), u32(0), u32(40), version]);
  #keys: SealingKeys | undefined;

  constructor(
    private readonly account: Account,
    private readonly world: NtlmWorld = { random: randomBytes, now: () => new Date() },
  ) {}

  /** Answers a CHALLENGE message. */
  authenticate(message: Uint8Array): Buffer {
    const challenge = readChallenge(message);
    const { random } = this.world;
    const key = passwordKey(this.account);
    const nonce = random(8);
    const proven = Buffer.concat([
      Buffer.from([1, 1, 0, 0, 0, 0, 0, 0]),
      challenge.time ?? fileTime(this.world.now()),
      nonce,
      Buffer.alloc(4),
      challenge.pairs,
      Buffer.alloc(4),
    ]);
    const proof = hmac(key, challenge.nonce, proven);
    const sessionKey = random(16);
    const parts = {
      lm: challenge.time ? Buffer.alloc(24) : Buffer.concat([hmac(key, challenge.nonce, nonce), nonce]),
      nt: Buffer.concat([proof, proven]),
      domain: utf16(this.account.domain),
      user: utf16(this.account.user),
      workstation: utf16('POSTERN'),
      sessionKey: new Rc4(hmac(key, proof)).update(sessionKey),
    };
    const answer = authenticateMessage(parts, challenge.flags & negotiated);
    hmac(sessionKey, this.negotiate, message, answer).copy(answer, micOffset);
    this.#keys = new SealingKeys(sessionKey);
    return answer;
  }

  /** Signs and encrypts a message. */
  seal(message: Uint8Array): Buffer {
    return this.#established.seal(message);
  }

  /** Decrypts and verifies a message of the server. */
  unseal(message: Uint8Array): Buffer {
    return this.#established.unseal(message);
  }

  get #established(): SealingKeys {
    if (!this.#keys) throw new Error('nothing was authenticated yet');
    return this.#keys;
  }
}

interface Challenge {
  readonly nonce: Uint8Array;
  readonly flags: number;
  readonly time: Uint8Array | undefined;
  /** The server's pairs, with the announcement of an integrity code and the end. */
  readonly pairs: Buffer;
}

function readChallenge(message: Uint8Array): Challenge {
  const head = new Cursor(message);
  if (!signature.equals(head.take(8)) || head.u32() !== 2) throw new Malformed('not an NTLM challenge');
  const flags = head.skip(8).u32();
  const nonce = head.take(8);
  const length = head.skip(8).u16();
  const offset = head.skip(2).u32();
  const info = new Cursor(message, offset, offset + length);
  const kept: Uint8Array[] = [];
  let time: Uint8Array | undefined;
  while (info.left >= 4) {
    const start = info.at;
    const id = info.u16();
    const value = info.take(info.u16());
    if (id === pair.end) break;
    if (id === pair.timestamp && value.length === 8) time = value;
    if (id !== pair.flags) kept.push(message.subarray(start, info.at));
  }
  const integrity = Buffer.concat([u16(pair.flags), u16(4), u32(2), u32(0)]);
  return { nonce, flags, time, pairs: Buffer.concat([...kept, integrity]) };
}

function authenticateMessage(
  parts: Readonly<Record<'lm' | 'nt' | 'domain' | 'user' | 'workstation' | 'sessionKey', Buffer>>,
  flags: number,
): Buffer {
  const order = ['domain', 'user', 'workstation', 'lm', 'nt', 'sessionKey'] as const;
  let offset = headerBytes;
  const places = new Map<string, Buffer>();
  for (const name of order) {
    const { length } = parts[name];
    places.set(name, Buffer.concat([u16(length), u16(length), u32(offset)]));
    offset += length;
  }
  const fields = (['lm', 'nt', 'domain', 'user', 'workstation', 'sessionKey'] as const).map(
    (name) => places.get(name) ?? Buffer.alloc(8),
  );
  const head = [signature, u32(3), ...fields, u32(flags), version, Buffer.alloc(16)];
  return Buffer.concat([...head, ...order.map((name) => parts[name])]);
}

/** 100 nanoseconds since 1601. */
function fileTime(date: Date): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE((BigInt(date.getTime()) + 11_644_473_600_000n) * 10_000n);
  return bytes;
}

/** Sealing and signing after authentication (MS-NLMP 3.4): each direction has a key, a cipher and a counter of its own. */
export class SealingKeys {
  readonly #out: Direction;
  readonly #in: Direction;

  /** `asServer` turns the directions round. */
  constructor(sessionKey: Buffer, asServer = false) {
    const toServer = new Direction(sessionKey, 'client-to-server');
    const toClient = new Direction(sessionKey, 'server-to-client');
    [this.#out, this.#in] = asServer ? [toClient, toServer] : [toServer, toClient];
  }

  seal(message: Uint8Array): Buffer {
    const encrypted = this.#out.cipher.update(message);
    return Buffer.concat([this.#out.sign(message), encrypted]);
  }

  unseal(sealed: Uint8Array): Buffer {
    const cursor = new Cursor(sealed);
    const claimed = cursor.take(16);
    const message = this.#in.cipher.update(cursor.rest());
    if (!timingSafeEqual(this.#in.sign(message), claimed))
      throw new Malformed('a sealed message was not signed by the server');
    return message;
  }
}

class Direction {
  readonly cipher: Rc4;
  readonly #signing: Buffer;
  #sequence = 0;

  constructor(sessionKey: Buffer, name: 'client-to-server' | 'server-to-client') {
    const derive = (use: string): Buffer =>
      createHash('md5')
        .update(sessionKey)
        .update(Buffer.from(`session key to ${name} ${use} key magic constant\0`, 'latin1'))
        .digest();
    this.#signing = derive('signing');
    this.cipher = new Rc4(derive('sealing'));
  }

  /** The signature of the next message, whose encryption came before. */
  sign(message: Uint8Array): Buffer {
    const sequence = u32(this.#sequence);
    this.#sequence += 1;
    const sum = this.cipher.update(hmac(this.#signing, sequence, asBuffer(message)).subarray(0, 8));
    return Buffer.concat([u32(1), sum, sequence]);
  }
}
