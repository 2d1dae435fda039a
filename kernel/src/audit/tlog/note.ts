import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';

/** A key that may have signed a note: C2SP signed-note, with Ed25519 signatures (type 0x01) only. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyId: number;
  readonly key: KeyObject;
}

/** What signs a note. `publicKey` is the 32-byte Ed25519 encoding of RFC 8032; `sign` may be remote. */
export interface NoteSigner {
  readonly name: string;
  readonly publicKey: Buffer;
  sign(bytes: Buffer): Promise<Buffer> | Buffer;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  readonly signature: Buffer;
}

export interface Note {
  /** With its final newline, and without the blank line that follows. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A note is refused unread beyond this many bytes: room for 16 post-quantum signatures and then some. */
export const maxNoteBytes = 256 * 1024;
const maxSignatures = 64;
const ed25519Type = 0x01;

const malformed = (what: string): PosternError => new PosternError('protocol_violation', `not a signed note: ${what}`);
const isKeyName = (name: string): boolean => name !== '' && !/[\p{White_Space}+]/u.test(name);

function keyIdOf(name: string, publicKey: Buffer): number {
  const encoded = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ed25519Type), publicKey]);
  return hash('sha256', encoded, 'buffer').readUInt32BE(0);
}

/** The verifier for a name and a raw 32-byte Ed25519 key. */
export function noteVerifier(name: string, publicKey: Buffer): NoteVerifier {
  if (!isKeyName(name)) throw new PosternError('invalid_argument', `${JSON.stringify(name)} cannot name a key`);
  if (publicKey.length !== 32) throw new PosternError('invalid_argument', 'an Ed25519 public key has 32 bytes');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') };
  return { name, keyId: keyIdOf(name, publicKey), key: createPublicKey({ key: jwk, format: 'jwk' }) };
}

const hexId = (keyId: number): string => keyId.toString(16).padStart(8, '0');

/** The text form of a key, `<name>+<id>+<base64>`, that people keep and pass on. */
export function formatVerifierKey(name: string, publicKey: Buffer): string {
  const material = Buffer.concat([Buffer.of(ed25519Type), publicKey]);
  return `${name}+${hexId(keyIdOf(name, publicKey))}+${material.toString('base64')}`;
}

/** Reads {@link formatVerifierKey}. Rejects other key types and an id that does not belong to the key. */
export function parseVerifierKey(text: string): NoteVerifier {
  const [, name = '', id, encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const material = Buffer.from(encoded, 'base64');
  if (material[0] !== ed25519Type || material.length !== 33)
    throw new PosternError('invalid_argument', 'not an Ed25519 verifier key: expected <name>+<id>+<base64>');
  const verifier = noteVerifier(name, material.subarray(1));
  if (hexId(verifier.keyId) !== id)
    throw new PosternError('invalid_argument', `the verifier key of ${name} has the id ${id}, which is not its own`);
  return verifier;
}

/** Splits a note into text and signatures, and checks neither: C2SP signed-note, "Format". */
export function parseNote(bytes: Buffer): Note {
  if (bytes.length > maxNoteBytes) throw malformed(`${bytes.length} bytes`);
  const whole = bytes.toString('utf8');
  if (!Buffer.from(whole).equals(bytes)) throw malformed('it is not UTF-8');
  if (hasControls(whole)) throw malformed('it holds control characters');
  const split = whole.lastIndexOf('\n\n');
  if (split < 0 || !whole.endsWith('\n')) throw malformed('it has no signatures');
  const lines = whole.slice(split + 2, -1).split('\n');
  if (lines.length > maxSignatures) throw malformed(`${lines.length} signatures`);
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

// The only control character that a note may hold is the newline.
const hasControls = (text: string): boolean => /[^\P{Cc}\n\u007f-\u009f]/u.test(text);

function parseSignature(line: string): NoteSignature {
  const [, name = '', encoded = ''] = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const material = Buffer.from(encoded, 'base64');
  if (!isKeyName(name) || material.length < 5 || material.toString('base64') !== encoded)
    throw malformed('a signature line is malformed');
  return { name, keyId: material.readUInt32BE(0), signature: material.subarray(4) };
}

/** Signs a text that ends in a newline. */
export async function signNote(text: string, signer: NoteSigner): Promise<Buffer> {
  if (!text.endsWith('\n')) throw new PosternError('invalid_argument', 'the text of a note ends in a newline');
  const { keyId, key } = noteVerifier(signer.name, signer.publicKey);
  const signature = await signer.sign(Buffer.from(text));
  if (!verify(null, Buffer.from(text), key, signature))
    throw new PosternError('internal', `the signer ${signer.name} returned a signature that its own key refuses`);
  const material = Buffer.alloc(4);
  material.writeUInt32BE(keyId);
  return Buffer.from(`${text}\n\u2014 ${signer.name} ${Buffer.concat([material, signature]).toString('base64')}\n`);
}

export interface OpenedNote extends Note {
  /** The known keys whose signatures are good; never empty. */
  readonly signers: readonly NoteVerifier[];
}

/**
 * Reads a note and checks the signatures of the known keys; those of unknown
 * keys are ignored. Rejects with `unauthenticated` where none is known, and
 * where a known key's signature is wrong, even beside a good one.
 */
export function openNote(bytes: Buffer, known: readonly NoteVerifier[]): OpenedNote {
  const note = parseNote(bytes);
  const text = Buffer.from(note.text);
  const signers: NoteVerifier[] = [];
  for (const { name, keyId, signature } of note.signatures) {
    const verifier = known.find((key) => key.name === name && key.keyId === keyId);
    if (!verifier) continue;
    if (!verify(null, text, verifier.key, signature))
      throw new PosternError('unauthenticated', `the signature of ${name}+${hexId(keyId)} is wrong`);
    signers.push(verifier);
  }
  if (signers.length === 0) throw new PosternError('unauthenticated', 'the note carries no signature of a known key');
  return { ...note, signers };
}
