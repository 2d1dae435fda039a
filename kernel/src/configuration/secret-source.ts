import { z } from 'zod';

/** Where a secret lies on this machine. Never the secret itself, so that a configuration file can be shown around. */
export const secretSource = z.union([z.strictObject({ file: z.string() }), z.strictObject({ env: z.string() })], {
  error: 'write where the secret lies, { file: … } or { env: … }, and never the secret itself',
});
