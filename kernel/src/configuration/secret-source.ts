import { readFile } from 'node:fs/promises';
import type { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';

/** Where a secret lies on this machine. Never the secret itself, so that a configuration file can be shown around. */
export const secretSource = z.union([z.strictObject({ file: z.string() }), z.strictObject({ env: z.string() })], {
  error: 'write where the secret lies, { file: … } or { env: … }, and never the secret itself',
});

export type SecretSource = z.output<typeof secretSource>;

/**
 * Reads it anew, without the line end that editors leave. Rejects with what
 * `missing` makes of the reason, which names neither file nor variable.
 */
export async function readSecret(source: SecretSource, missing: (why: string) => PosternError): Promise<string> {
  const text =
    'env' in source
      ? process.env[source.env]
      : await readFile(source.file, 'utf8').catch(() => {
          throw missing('its file cannot be read');
        });
  if (text === undefined || ('env' in source && text === '')) throw missing('its variable is not set');
  return text.replace(/\r?\n$/, '');
}
