import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { userName } from '../../api/contract/login.js';
import type { WebLogin } from '../sessions/index.js';

const schema = z.object({
  user: z.string().trim().pipe(userName),
  password: z.string().min(1).max(1024),
  code: z.string().max(16).default(''),
  newPassword: z.string().max(1024).optional(),
  repeated: z.string().max(1024).optional(),
});

/** What a form of the login page says. Rejects with `invalid_argument`. */
export function readLogin(fields: URLSearchParams): WebLogin {
  const read = schema.safeParse(Object.fromEntries(fields));
  if (!read.success) throw PosternError.public('invalid_argument', 'enter your user name and your password');
  const { user, password, code, newPassword, repeated } = read.data;
  if (newPassword !== repeated) throw PosternError.public('invalid_argument', 'the two new passwords are not the same');
  // Applications show codes in two groups.
  const digits = code.replaceAll(/\s/g, '');
  return { user, password, ...(digits !== '' && { code: digits }), ...(newPassword !== undefined && { newPassword }) };
}
