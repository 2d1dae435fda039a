import { readFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';

export type SecretSource = { readonly file: string } | { readonly env: string };

/** Reads the secrets that resource documents may name. The values come from this machine, and each time anew. */
export class SecretReader {
  readonly #sources: ReadonlyMap<string, SecretSource>;

  constructor(sources: Readonly<Record<string, SecretSource>>) {
    this.#sources = new Map(Object.entries(sources));
  }

  /** The value without the line end that editors leave. Rejects with `invalid_config`; the error names the entry alone. */
  async read(name: string): Promise<string> {
    const source = this.#sources.get(name);
    if (!source) throw missing(`this agent has no secret ${JSON.stringify(name)}: add it under agent.secrets`);
    if ('env' in source) {
      const value = process.env[source.env];
      if (value === undefined || value === '') throw missing(`the variable of the secret ${name} is not set`);
      return value;
    }
    const text = await readFile(source.file, 'utf8').catch(() => {
      throw missing(`the file of the secret ${name} cannot be read`);
    });
    return text.replace(/\r?\n$/, '');
  }
}

const missing = (message: string): PosternError =>
  new PosternError('invalid_config', message, { publicMessage: 'the agent has no credentials for this resource' });
