import { PosternError, type ErrorCode } from '../errors.js';
import type { Denial } from '../identity.js';

/** What a client is told about an error: the denial of the same name, or the nearest one that gives nothing away. */
const codes: Readonly<Record<ErrorCode, Denial['code']>> = {
  aborted: 'unavailable',
  access_denied: 'access_denied',
  already_exists: 'internal',
  audit_unavailable: 'unavailable',
  conflict: 'unavailable',
  expired: 'expired',
  internal: 'internal',
  invalid_argument: 'access_denied',
  invalid_config: 'unavailable',
  limit_exceeded: 'limit_exceeded',
  locked: 'locked',
  mfa_required: 'mfa_required',
  not_found: 'not_found',
  password_change_required: 'unauthenticated',
  protocol_violation: 'access_denied',
  rate_limited: 'limit_exceeded',
  timeout: 'unavailable',
  unauthenticated: 'unauthenticated',
  unavailable: 'unavailable',
  upstream_auth: 'unavailable',
  upstream_unreachable: 'unavailable',
};

export function denialOf(cause: unknown): Denial {
  const { code, publicMessage } = PosternError.from(cause);
  // Another version of the SDK may know codes that this one does not.
  return { code: Object.hasOwn(codes, code) ? codes[code] : 'internal', message: publicMessage };
}

/** The reason with which a signal was aborted, as a denial; anything else that stopped it is not the client's business. */
export function denialFrom(reason: unknown): Denial {
  if (
    typeof reason === 'object' &&
    reason !== null &&
    'code' in reason &&
    'message' in reason &&
    !(reason instanceof Error)
  )
    return reason as Denial;
  return { code: 'unavailable', message: 'the session was ended' };
}
