import { PosternError } from '@postern/plugin-sdk';
import { readSecret, type SecretSource } from '../configuration/secret-source.js';

/** Reads the secrets that resource documents may name. The values come from this machine, and each time anew. */
export class SecretReader {
  readonly #sources: ReadonlyMap<string, SecretSource>;

  constructor(sources: Readonly<Record<string, SecretSource>>) {
    this.#sources = new Map(Object.entries(sources));
  }

  /** Rejects with `invalid_config`; the error names the entry alone. */
  async read(name: string): Promise<string> {
    const source = this.#sources.get(name);
    if (!source) throw missing(`this agent has no secret ${JSON.stringify(name)}: add it under agent.secrets`);
    return readSecret(source, (why) => missing(`the secret ${name}: ${why}`));
  }
}

const missing = (message: string): PosternError =>
  new PosternError('invalid_config', message, { publicMessage: 'the agent has no credentials for this resource' });
