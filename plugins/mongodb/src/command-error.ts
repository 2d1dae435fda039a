import { PosternError, type Denial } from '@postern/plugin-sdk';
import type { Document } from 'bson';
import { encodeAnswer, type Asker } from './wire.js';

/** Codes and names that clients know (MongoDB, error codes). */
const errors = {
  authenticationFailed: { code: 18, codeName: 'AuthenticationFailed' },
  unauthorized: { code: 13, codeName: 'Unauthorized' },
  cursorNotFound: { code: 43, codeName: 'CursorNotFound' },
  failed: { code: 96, codeName: 'OperationFailed' },
  unsupported: { code: 352, codeName: 'UnsupportedOpQueryCommand' },
  malformed: { code: 9, codeName: 'FailedToParse' },
} as const;

export type CommandErrorName = keyof typeof errors;

/** A command's failure as a server would tell it. */
export const errorBody = (name: CommandErrorName, message: string): Document => ({
  ok: 0,
  errmsg: message.slice(0, 1024),
  ...errors[name],
});

const byCode: Readonly<Partial<Record<string, CommandErrorName>>> = {
  unauthenticated: 'authenticationFailed',
  mfa_required: 'authenticationFailed',
  upstream_auth: 'authenticationFailed',
  access_denied: 'unauthorized',
  locked: 'unauthorized',
  expired: 'unauthorized',
  protocol_violation: 'malformed',
};

/** A denial, or what broke, as the answer to a command. */
export const refusalOf = (asker: Asker, { code, message }: Pick<Denial, 'message'> & { code: string }): Buffer =>
  encodeAnswer(asker, errorBody(byCode[code] ?? 'failed', message));

/** What a client is told of a command that was not allowed. Whatever else goes wrong ends the session. */
export function denied(asker: Asker, cause: unknown): Buffer {
  if (!PosternError.is(cause) || !['access_denied', 'invalid_argument', 'mfa_required'].includes(cause.code))
    throw cause;
  return refusalOf(asker, {
    code: cause.code === 'invalid_argument' ? 'access_denied' : cause.code,
    message: cause.publicMessage,
  });
}
