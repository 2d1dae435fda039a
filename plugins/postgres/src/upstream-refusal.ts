import { PosternError } from '@postern/plugin-sdk';
import { errorResponse, type ErrorFields } from './wire.js';

/** The database would not let the session in, in its own words. */
export class UpstreamRefusal extends PosternError {
  constructor(readonly fields: ErrorFields) {
    super('upstream_auth', `the database refused the login: ${fields.sqlstate} ${fields.message}`, {
      publicMessage: fields.message,
    });
  }

  /** The words for the client, as the end of its own login. */
  response(): Buffer {
    return errorResponse({ ...this.fields, severity: 'FATAL' });
  }
}

/** The fields without a secret, should a server that was given one repeat it. */
export function withoutSecret(fields: ErrorFields, secret: string | undefined): ErrorFields {
  if (!secret) return fields;
  const clean = (text: string): string => text.replaceAll(secret, '[secret]').slice(0, 8192);
  return {
    severity: fields.severity,
    sqlstate: fields.sqlstate,
    message: clean(fields.message),
    ...(fields.detail !== undefined && { detail: clean(fields.detail) }),
    ...(fields.hint !== undefined && { hint: clean(fields.hint) }),
  };
}
