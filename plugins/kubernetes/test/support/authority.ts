import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority for tests, made by the openssl program. */
export class Authority implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'postern-ca-'));
  readonly #issued = new Map<string, Issued>();
  /** PEM. */
  readonly certificate: string;

  constructor(name: string) {
    this.#openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
    this.certificate = this.#read('ca.crt');
  }

  /** A certificate for a subject. With names (`DNS:…`, `IP:…`) it is a server's. */
  issue(commonName: string, names: readonly string[] = [], subject = `/CN=${commonName}`): Issued {
    const known = this.#issued.get(commonName);
    if (known) return known;
    const extensions =
      names.length > 0
        ? [`subjectAltName=${names.join(',')}`, 'extendedKeyUsage=serverAuth']
        : ['extendedKeyUsage=clientAuth'];
    writeFileSync(join(this.#directory, 'extensions'), extensions.join('\n'));
    this.#openssl('req', '-new', ...newKey, '-keyout', 'new.key', '-out', 'new.csr', '-subj', subject);
    this.#openssl(
      ...'x509 -req -in new.csr -CA ca.crt -CAkey ca.key -days 2 -out new.crt -extfile extensions'.split(' '),
    );
    const issued = { certificate: this.#read('new.crt'), key: this.#read('new.key') };
    this.#issued.set(commonName, issued);
    return issued;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#directory, stdio: 'ignore' });
  }

  #read(file: string): string {
    return readFileSync(join(this.#directory, file), 'utf8');
  }
}

const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256'.split(' ');
