import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import type { Account } from './client-info.js';
import { children, fieldsOf, integer, numberIn, octets, octetsIn, readElement, sequence, tagged } from './der.js';
import { Malformed } from './bytes.js';
import { NtlmClient } from './ntlm.js';

/** The longest message of a server: an NTLM challenge with its names. */
export const maxCredSspBytes = 16_384;

/** The newest version that is spoken; from 5 on, keys are bound by hashes (MS-CSSP, CVE-2018-0886). */
const newest = 6;
const bindsByHash = 5;

/** What a server says: exchanged as DER (MS-CSSP 2.2.1). */
export interface TsRequest {
  readonly version: number;
  readonly token?: Uint8Array;
  readonly authInfo?: Uint8Array;
  readonly pubKeyAuth?: Uint8Array;
  readonly errorCode?: number;
  readonly nonce?: Uint8Array;
}

export function writeTsRequest({ version, token, authInfo, pubKeyAuth, errorCode, nonce }: TsRequest): Buffer {
  return sequence(
    tagged(0, integer(version)),
    tagged(1, token && sequence(sequence(tagged(0, octets(token))))),
    tagged(2, authInfo && octets(authInfo)),
    tagged(3, pubKeyAuth && octets(pubKeyAuth)),
    tagged(4, errorCode === undefined ? undefined : integer(errorCode)),
    tagged(5, nonce && octets(nonce)),
  );
}

export function readTsRequest(bytes: Uint8Array): TsRequest {
  const fields = fieldsOf(bytes);
  const version = fields.get(0);
  if (!version) throw new Malformed('a CredSSP message without a version');
  const [tokens, authInfo, pubKeyAuth, error, nonce] = [1, 2, 3, 4, 5].map((number) => fields.get(number));
  const [token] = tokens ? children(tokens.body) : [];
  const inner = token && children(token.body)[0];
  return {
    version: numberIn(version),
    ...(inner && { token: octetsIn(readElement(inner.body)) }),
    ...(authInfo && { authInfo: octetsIn(authInfo) }),
    ...(pubKeyAuth && { pubKeyAuth: octetsIn(pubKeyAuth) }),
    ...(error && { errorCode: numberIn(error) }),
    ...(nonce && { nonce: octetsIn(nonce) }),
  };
}

/** A line to the server on which whole messages are exchanged. */
export interface CredSspLine {
  write(message: Buffer): Promise<void>;
  read(): Promise<Buffer>;
}

/** The hash that binds one side's knowledge to the public key of the server's certificate. */
export const keyBinding = (direction: string, nonce: Uint8Array, publicKey: Uint8Array): Buffer =>
  createHash('sha256').update(`CredSSP ${direction} Binding Hash\0`, 'latin1').update(nonce).update(publicKey).digest();

/**
 * Authenticates at a server by CredSSP with NTLMv2 and hands it the account's
 * credentials. `publicKey` is what the certificate's BIT STRING holds: the
 * server proves that it knows the password and owns this very key, so that
 * nobody stands in between. Rejects with `upstream_auth` where the server
 * refuses the account.
 */
export async function authenticate(line: CredSspLine, publicKey: Buffer, account: Account): Promise<void> {
  const ntlm = new NtlmClient(account);
  await line.write(writeTsRequest({ version: newest, token: ntlm.negotiate }));
  const challenge = answered(await line.read());
  if (!challenge.token) throw new Malformed('no NTLM challenge');
  const version = Math.min(challenge.version, newest);
  const hashed = version >= bindsByHash;
  const nonce = randomBytes(32);
  const token = ntlm.authenticate(challenge.token);
  const claim = hashed ? keyBinding('Client-To-Server', nonce, publicKey) : publicKey;
  const authenticates = { version: newest, token, pubKeyAuth: ntlm.seal(claim) };
  await line.write(writeTsRequest(hashed ? { ...authenticates, nonce } : authenticates));
  const { pubKeyAuth } = answered(await line.read());
  if (!pubKeyAuth) throw new Malformed('no proof of the public key');
  const expected = hashed ? keyBinding('Server-To-Client', nonce, publicKey) : incremented(publicKey);
  const proof = ntlm.unseal(pubKeyAuth);
  if (proof.length !== expected.length || !timingSafeEqual(proof, expected))
    throw new PosternError('upstream_auth', 'the desktop proved another public key than its certificate has', {
      publicMessage: 'the desktop could not prove who it is',
    });
  await line.write(writeTsRequest({ version: newest, authInfo: ntlm.seal(credentials(account)) }));
}

function answered(message: Buffer): TsRequest {
  const request = readTsRequest(message);
  if (request.errorCode)
    throw new PosternError('upstream_auth', `the desktop refused the account: 0x${request.errorCode.toString(16)}`, {
      publicMessage: 'the desktop refused the account that the agent logs in with',
    });
  return request;
}

/** How versions before 5 prove the key: its first byte, plus one. */
function incremented(publicKey: Buffer): Buffer {
  const copy = Buffer.from(publicKey);
  copy[0] = ((copy[0] ?? 0) + 1) & 255;
  return copy;
}

/** TSCredentials with a password (MS-CSSP 2.2.1.2). */
function credentials({ domain, user, password }: Account): Buffer {
  const texts = [domain, user, password].map((text, index) => tagged(index, octets(Buffer.from(text, 'utf16le'))));
  return sequence(tagged(0, integer(1)), tagged(1, octets(sequence(...texts))));
}
