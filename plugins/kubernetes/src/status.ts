import { HttpRefusal } from '@postern/plugin-sdk/http1';
import { PosternError, type Denial } from '@postern/plugin-sdk';

/** How Kubernetes says that something failed (`Status` in k8s.io/apimachinery). */
interface Failure {
  readonly code: number;
  readonly reason: string;
}

const failures: Readonly<Partial<Record<string, Failure>>> = {
  access_denied: { code: 403, reason: 'Forbidden' },
  locked: { code: 403, reason: 'Forbidden' },
  mfa_required: { code: 403, reason: 'Forbidden' },
  unauthenticated: { code: 401, reason: 'Unauthorized' },
  expired: { code: 401, reason: 'Unauthorized' },
  not_found: { code: 404, reason: 'NotFound' },
  limit_exceeded: { code: 429, reason: 'TooManyRequests' },
  invalid_argument: { code: 400, reason: 'BadRequest' },
  protocol_violation: { code: 400, reason: 'BadRequest' },
  upstream_unreachable: { code: 503, reason: 'ServiceUnavailable' },
  upstream_auth: { code: 502, reason: 'ServiceUnavailable' },
  unavailable: { code: 503, reason: 'ServiceUnavailable' },
  invalid_config: { code: 500, reason: 'InternalError' },
};

const unknown: Failure = { code: 500, reason: 'InternalError' };

const phrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

/** The object that kubectl prints: `Error from server (Forbidden): …`. */
export function statusObject(
  code: string,
  message: string,
): Readonly<Record<string, unknown>> & { readonly code: number } {
  const failure = failures[code] ?? unknown;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: failure.reason,
    code: failure.code,
  };
}

export interface StatusOptions {
  /** Whether the connection ends behind it. */
  readonly close: boolean;
  /** A response to HEAD has no body. */
  readonly head?: boolean;
  /** Instead of the status that the code stands for. */
  readonly status?: number;
}

/** A whole response. */
export function statusResponse(code: string, message: string, options: StatusOptions): Buffer {
  const object = statusObject(code, message);
  const status = options.status ?? object.code;
  const body = Buffer.from(`${JSON.stringify({ ...object, code: status })}\n`);
  const head = [
    `HTTP/1.1 ${status} ${phrases[status] ?? 'Error'}`,
    'Content-Type: application/json',
    'Cache-Control: no-store',
    `Content-Length: ${body.length}`,
    ...(options.close ? ['Connection: close'] : []),
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), options.head ? Buffer.alloc(0) : body]);
}

/** A denial as the last response of a connection. */
export const denialResponse = ({ code, message }: Denial): Buffer => statusResponse(code, message, { close: true });

/** What broke, as the last response of a connection. */
export function failureResponse(cause: unknown): Buffer {
  const error = PosternError.from(cause);
  const status = cause instanceof HttpRefusal ? { status: cause.status } : {};
  return statusResponse(error.code, error.publicMessage, { close: true, ...status });
}
