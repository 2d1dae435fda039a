import { z } from 'zod';
import { userName } from '../api/contract/login.js';

/** A user as replicas see it. Nothing here is secret. */
export const user = z.strictObject({
  name: userName,
  roles: z.array(z.string()),
  traits: z.record(z.string(), z.array(z.string())),
  created: z.iso.datetime(),
  disabled: z.boolean(),
  /** Goes up whenever something was taken away; certificates of an older generation are refused. */
  generation: z.int().positive(),
  activated: z.boolean(),
  totp: z.boolean(),
});
export type User = z.output<typeof user>;

/** How a user proves who he is; stored sealed. */
export const userSecrets = z.strictObject({
  passwordHash: z.string(),
  /** Must be replaced at the first login. */
  oneTime: z.boolean().default(false),
  totp: z.strictObject({ secret: z.string(), lastStep: z.int() }).optional(),
});
export type UserSecrets = z.output<typeof userSecrets>;
