import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, createSecretKey, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError, type ErrorCode } from '@postern/plugin-sdk';
import {
  CertificateIssuer,
  EnvelopeSealer,
  trustAuthority,
  type AuthorityKind,
  type Sealer,
  type TrustedAuthority,
} from '../../src/certificates/index.js';
import { decrypt, encrypt, type KeyWrapper } from '../../src/certificates/sealing.js';
import { SigningKey } from '../../src/certificates/signing-key.js';
import type { Commit, Entry } from '../../src/storage/index.js';

export const cluster = 'cluster.test';

/** A wrapping key that no file holds. */
export function memoryWrapper(id = 'memory'): KeyWrapper {
  const key = createSecretKey(randomBytes(32));
  return {
    id,
    wrap: async (dataKey, context) => encrypt(key, dataKey, context),
    unwrap: async (wrapped, context) => decrypt(key, Buffer.from(wrapped), context),
  };
}

/** The part of a store that authorities use, with a hook before each commit. */
export class MemoryStore {
  readonly entries = new Map<string, Entry>();
  beforeCommit: () => Promise<void> = async () => {};
  #revision = 0;

  async get(key: string): Promise<Entry | undefined> {
    return this.entries.get(key);
  }

  async commit({ check = [], put = [], delete: gone = [] }: Commit): Promise<number> {
    await this.beforeCommit();
    for (const { key, revision } of check)
      if ((this.entries.get(key)?.revision ?? 0) !== revision) throw new PosternError('conflict', `${key} has changed`);
    this.#revision += 1;
    for (const { key, value } of put) this.entries.set(key, { key, value, revision: this.#revision });
    for (const key of gone) this.entries.delete(key);
    return this.#revision;
  }
}

/** An issuer with fresh authorities, and a clock that tests can set. */
export async function newIssuer(
  options: { cluster?: string; sealer?: Sealer; store?: MemoryStore; clock?: { now: Date } } = {},
): Promise<CertificateIssuer> {
  const clock = options.clock ?? { now: new Date() };
  return CertificateIssuer.open({
    store: options.store ?? new MemoryStore(),
    sealer: options.sealer ?? new EnvelopeSealer(memoryWrapper()),
    cluster: options.cluster ?? cluster,
    now: () => clock.now,
  });
}

export const trustIn = <K extends AuthorityKind>(issuer: CertificateIssuer, kind: K): TrustedAuthority<K>[] => [
  trustAuthority(issuer.bundle(kind)),
];

export const claims = {
  user: 'alice',
  roles: ['developer'],
  traits: { team: ['payments'] },
  principals: { shell: ['alice', 'deploy'] },
  generation: 7,
  requests: [],
};

export const p256 = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const ed25519 = (): { publicKey: KeyObject; privateKey: KeyObject } => generateKeyPairSync('ed25519');

export const publicPem = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();
export const privatePem = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();

export const signingKey = (privateKey: KeyObject): SigningKey =>
  SigningKey.fromPkcs8(privateKey.export({ format: 'der', type: 'pkcs8' }));

/** Matches a PosternError by its code and a part of the operator's message. */
export const refusal =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): boolean =>
    PosternError.is(error) && error.code === code && message.test(error.message);

/** A directory of its own for one test, filled with files and removed afterwards. */
export function inDirectory<T>(files: Readonly<Record<string, string>>, run: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'postern-certificates-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content, { mode: 0o600 });
    return run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What a program prints. Throws, with what it complained about, where it fails. */
export const output = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
