import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenSshCredential } from '@postern/plugin-sdk';

export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface CertificateWishes {
  readonly principals?: readonly string[];
  /** As `ssh-keygen -V` takes it. */
  readonly validity?: string;
  /** `-O` options, such as `no-pty`. */
  readonly options?: readonly string[];
  readonly authority?: string;
  readonly type?: KeyType;
}

/** The name that every test node has a certificate for. */
export const nodeName = 'web-1.ssh.cluster.test';

/** Keys and certificates of one test run, all made by ssh-keygen, in a directory that {@link dispose} removes. */
export class Authority {
  readonly directory = mkdtempSync(join(tmpdir(), 'postern-ssh-test-'));
  #count = 0;

  constructor() {
    this.#generate('user-ca', 'ed25519');
    this.#generate('host-ca', 'ed25519');
    this.#generate('other-ca', 'ed25519');
    const line = readFileSync(this.path('host-ca.pub'), 'utf8').trim();
    writeFileSync(this.path('known_hosts'), `@cert-authority *.ssh.cluster.test ${line}\n`);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** The public key of an authority, as in a certificate. */
  publicKey(name: string): Buffer {
    const [, encoded = ''] = readFileSync(this.path(`${name}.pub`), 'utf8').split(' ');
    return Buffer.from(encoded, 'base64');
  }

  /** Makes a user's key with its certificate beside it, and returns the path of the key. */
  user({
    principals = [],
    validity = '-1m:+1h',
    options = [],
    authority = 'user-ca',
    type,
  }: CertificateWishes): string {
    const name = `user-${(this.#count += 1)}`;
    this.#generate(name, type ?? 'ed25519');
    const limits = options.flatMap((option) => ['-O', option]);
    this.#sign(name, ['-s', this.path(authority), '-n', principals.join(','), '-V', validity, ...limits]);
    return this.path(name);
  }

  /** Makes a host key and its certificate. */
  host({
    principals = [nodeName],
    validity = '-1m:+1h',
    authority = 'host-ca',
    type,
  }: CertificateWishes = {}): OpenSshCredential {
    const name = `host-${(this.#count += 1)}`;
    this.#generate(name, type ?? 'ed25519');
    this.#sign(name, ['-h', '-s', this.path(authority), '-n', principals.join(','), '-V', validity]);
    return {
      certificate: readFileSync(this.path(`${name}-cert.pub`), 'utf8'),
      key: readFileSync(this.path(name), 'utf8'),
    };
  }

  /** Writes a key and its certificate, and returns the path of the key. */
  keep(name: string, key: string, certificate: string): string {
    writeFileSync(this.path(name), key, { mode: 0o600 });
    writeFileSync(this.path(`${name}-cert.pub`), certificate);
    return this.path(name);
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #generate(name: string, type: KeyType): void {
    const bits = type === 'rsa' ? ['-b', '2048'] : [];
    execFileSync('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-C', name, '-f', this.path(name)]);
  }

  #sign(name: string, options: readonly string[]): void {
    execFileSync('ssh-keygen', ['-q', '-I', 'alice', '-z', '7', ...options, this.path(`${name}.pub`)], {
      stdio: 'ignore',
    });
  }
}
