import { readFile } from 'node:fs/promises';
import { PosternError, type Grant, type SessionContext } from '@postern/plugin-sdk';
import type { Kubernetes } from './protocol.js';

/** Tokens of service accounts are replaced on disk long before they expire. */
const freshMs = 60_000;

/** The bearer token with which the agent comes to the API server. Read again after a minute, for long connections. */
export class TokenSource {
  #token = '';
  #readAt = -Infinity;

  constructor(
    private readonly context: Pick<SessionContext<Kubernetes>, 'resource' | 'config'>,
    private readonly grant: Pick<Grant<Kubernetes>, 'credentials'>,
  ) {}

  /** The token, where it is fresh; {@link refresh} fetches it otherwise. */
  get current(): string | undefined {
    return performance.now() - this.#readAt < freshMs ? this.#token : undefined;
  }

  /** The token that was read last, however long ago. */
  get last(): string {
    return this.#token;
  }

  /** Rejects with `invalid_config` where there is none, or something that is no token. */
  async refresh(): Promise<string> {
    const { auth } = this.context.resource.spec;
    const text =
      auth.method === 'token' && auth.secret !== undefined
        ? await this.grant.credentials.secret(auth.secret)
        : await readAccountFile(this.context.config.service_account.token_file);
    const token = text.trim();
    if (!/^[\x21-\x7e]{1,16384}$/.test(token)) throw missing('what should be a bearer token is none');
    this.#token = token;
    this.#readAt = performance.now();
    return token;
  }
}

/** A file of the agent's service account. Rejects with `invalid_config`. */
export async function readAccountFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw missing('the agent has no service account: its file cannot be read', cause);
  });
}

const missing = (message: string, cause?: unknown): PosternError =>
  new PosternError('invalid_config', message, {
    publicMessage: 'the agent has no credentials for this cluster',
    cause,
  });
