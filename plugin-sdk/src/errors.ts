/**
 * Every way in which the system refuses or fails, in one place. Codes are
 * append-only: docs/errors.md lists them, and a test keeps the two in step.
 */
export const errorCodes = [
  'aborted',
  'access_denied',
  'already_exists',
  'audit_unavailable',
  'conflict',
  'expired',
  'internal',
  'invalid_argument',
  'invalid_config',
  'limit_exceeded',
  'locked',
  'mfa_required',
  'not_found',
  'password_change_required',
  'protocol_violation',
  'rate_limited',
  'timeout',
  'unauthenticated',
  'unavailable',
  'upstream_auth',
  'upstream_unreachable',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

const brand = Symbol.for('postern:error');

export interface PosternErrorOptions {
  readonly cause?: unknown;
  /** The text a client may see. Without it the client is told the code and no more. */
  readonly publicMessage?: string;
}

/**
 * The only error that crosses a module's boundary on purpose. `message` is for
 * operators: lower case, no full stop, with the values that matter and never a
 * secret. `publicMessage` is all that a client ever sees.
 */
export class PosternError extends Error {
  readonly [brand] = true;
  override readonly name = 'PosternError';
  readonly publicMessage: string;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: PosternErrorOptions = {},
  ) {
    super(message, options);
    this.publicMessage = options.publicMessage ?? code.replaceAll('_', ' ');
  }

  /** An error whose message is safe for everybody: the common case in commands and in the API. */
  static public(code: ErrorCode, message: string, cause?: unknown): PosternError {
    return new PosternError(code, message, { publicMessage: message, cause });
  }

  /** Recognises errors of another copy of the SDK too, where `instanceof` would not. */
  static is(value: unknown): value is PosternError {
    return typeof value === 'object' && value !== null && brand in value;
  }

  /** What is thrown, as a PosternError: anything unknown is `internal`, and its text stays with the operator. */
  static from(value: unknown): PosternError {
    if (PosternError.is(value)) return value;
    const message = value instanceof Error ? value.message : String(value);
    return new PosternError('internal', message, { cause: value });
  }
}
