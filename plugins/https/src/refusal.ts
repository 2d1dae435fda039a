import { HttpRefusal } from '@postern/plugin-sdk/http1';
import { PosternError, type Denial, type ErrorCode } from '@postern/plugin-sdk';
import { LateRequest } from './gate-timer.js';

const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  access_denied: 403,
  locked: 403,
  mfa_required: 403,
  unauthenticated: 401,
  expired: 401,
  not_found: 404,
  limit_exceeded: 429,
  invalid_argument: 400,
  protocol_violation: 400,
  upstream_unreachable: 502,
  upstream_auth: 502,
  timeout: 504,
  unavailable: 503,
  audit_unavailable: 503,
  aborted: 503,
};

const phrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/** An answer of ours instead of the application's. */
export interface Refusal {
  readonly status: number;
  readonly phrase: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The words of a denial, or of an error, in the form that the client accepts. */
export function refusalOf(cause: Denial | Error, accept = ''): Refusal {
  const { code, message } = wordsOf(cause);
  const status = statusOf(cause) ?? statuses[code] ?? 500;
  const phrase = phrases[status] ?? 'Error';
  const [type, text] = formed({ code, message, title: `${status} ${phrase}` }, accept);
  const body = Buffer.from(text);
  return {
    status,
    phrase,
    body,
    headers: {
      'Content-Type': type,
      'Content-Length': String(body.length),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'",
      // RFC 9110, section 15.5.2, demands one; a certificate is no scheme that has a registered name.
      ...(status === 401 && { 'WWW-Authenticate': 'Certificate' }),
    },
  };
}

function statusOf(cause: Denial | Error): number | undefined {
  if (cause instanceof LateRequest) return 408;
  return cause instanceof HttpRefusal ? cause.status : undefined;
}

function wordsOf(cause: Denial | Error): { readonly code: ErrorCode; readonly message: string } {
  if (!(cause instanceof Error)) return cause;
  const { code, publicMessage } = PosternError.from(cause);
  return { code, message: publicMessage };
}

interface Words {
  readonly code: string;
  readonly message: string;
  readonly title: string;
}

function formed({ code, message, title }: Words, accept: string): readonly [string, string] {
  if (/\btext\/html\b/i.test(accept))
    return [
      'text/html; charset=utf-8',
      `<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>${title}</title>\n<h1>${title}</h1>\n<p>${escaped(message)}</p>\n</html>\n`,
    ];
  if (/\bapplication\/(?:[\w.-]+\+)?json\b/i.test(accept))
    return ['application/json', `${JSON.stringify({ error: { code, message } })}\n`];
  return ['text/plain; charset=utf-8', `${title}: ${message}\n`];
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (found) => entities[found] ?? '');

/** The whole response as bytes: the last one of a connection, unless it is told to stay open. */
export function encodeRefusal({ status, phrase, headers, body }: Refusal, method?: string, close = true): Buffer {
  const all = close ? { ...headers, Connection: 'close' } : headers;
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`HTTP/1.1 ${status} ${phrase}\r\n${fields.join('')}\r\n`, 'latin1');
  return method === 'HEAD' ? head : Buffer.concat([head, body]);
}
