import type { ErrorCode } from '@postern/plugin-sdk';

const statuses = {
  aborted: 503,
  access_denied: 403,
  already_exists: 409,
  audit_unavailable: 503,
  conflict: 409,
  expired: 410,
  internal: 500,
  invalid_argument: 400,
  invalid_config: 400,
  limit_exceeded: 413,
  locked: 403,
  mfa_required: 401,
  not_found: 404,
  password_change_required: 401,
  protocol_violation: 400,
  rate_limited: 429,
  timeout: 504,
  unauthenticated: 401,
  unavailable: 503,
  upstream_auth: 502,
  upstream_unreachable: 502,
} as const satisfies Record<ErrorCode, number>;

export const httpStatusOf = (code: ErrorCode): (typeof statuses)[ErrorCode] => statuses[code];
