import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import tls from 'node:tls';
import { PosternError, type Logger } from '@postern/plugin-sdk';

/** PEM. */
export interface WebKeyPair {
  readonly certificate: string;
  readonly key: string;
}

const checkMs = 5000;

/** A certificate in two files, which is read again when it changes. One that is broken does not take the good one's place. */
export class WebCertificate implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #context: tls.SecureContext;

  private constructor(
    private readonly files: WebKeyPair,
    private current: WebKeyPair,
    private readonly options: { readonly log: Logger; readonly changed?: (pair: WebKeyPair) => void },
  ) {
    this.#context = contextOf(current);
    this.#timer = setInterval(() => void this.check(), checkMs).unref();
  }

  /** `files`: their paths. Rejects with `invalid_config` where they are no certificate and its key. */
  static async open(
    files: WebKeyPair,
    options: { readonly log: Logger; readonly changed?: (pair: WebKeyPair) => void },
  ): Promise<WebCertificate> {
    try {
      return new WebCertificate(files, await read(files), options);
    } catch (cause) {
      const { message } = PosternError.from(cause);
      throw PosternError.public('invalid_config', `proxy.web: no certificate for browsers: ${message}`, cause);
    }
  }

  get pair(): WebKeyPair {
    return this.current;
  }

  get context(): tls.SecureContext {
    return this.#context;
  }

  /** Reads the files now. Never rejects. */
  async check(): Promise<void> {
    try {
      const found = await read(this.files);
      if (found.certificate === this.current.certificate && found.key === this.current.key) return;
      this.#context = contextOf(found);
      this.current = found;
      this.options.changed?.(found);
    } catch (cause) {
      const { message } = PosternError.from(cause);
      this.options.log.error('the certificate for browsers could not be read again', { cause: message });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Throws where one of the two is missing, as in a file that is just being written, and where the key is another certificate's. */
export function contextOf({ certificate, key }: WebKeyPair): tls.SecureContext {
  // OpenSSL is content with nothing, and would then shake no hand.
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new PosternError('invalid_config', 'the key is not that of the certificate');
  return tls.createSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' });
}

async function read({ certificate, key }: WebKeyPair): Promise<WebKeyPair> {
  const [chain, secret] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')]);
  return { certificate: chain, key: secret };
}
