import type { Duplex } from 'node:stream';
import { PosternError, type Denial } from '@postern/plugin-sdk';
import { UpstreamRefusal } from './upstream-refusal.js';
import { UpstreamViolation } from './upstream-violation.js';
import { errorResponse } from './wire.js';

const hints: Readonly<Record<Denial['code'], string | undefined>> = {
  unauthenticated: 'Run "psh login", and connect with the certificate that it writes.',
  access_denied: '"psh db ls" shows what you may use.',
  not_found: '"psh db ls" shows what you may use.',
  mfa_required: undefined,
  locked: undefined,
  expired: 'Run "psh login".',
  limit_exceeded: undefined,
  unavailable: undefined,
  internal: undefined,
};

const sqlstates: Readonly<Record<Denial['code'], string>> = {
  unauthenticated: '28000',
  access_denied: '28000',
  not_found: '28000',
  mfa_required: '28000',
  locked: '28000',
  expired: '28000',
  limit_exceeded: '53300',
  unavailable: '57P03',
  internal: 'XX000',
};

/** A denial in the words of PostgreSQL; one that cuts a running session reads as an administrator's shutdown. */
export function denialResponse({ code, message }: Denial, running: boolean): Buffer {
  const hint = hints[code];
  return errorResponse({
    severity: 'FATAL',
    sqlstate: running ? '57P01' : sqlstates[code],
    message: running ? `terminating connection: ${message}` : message,
    ...(hint !== undefined && { hint }),
  });
}

/** What a client hears of a failure, where PostgreSQL has words of its own for it. */
export function failureResponse(cause: unknown): Buffer | undefined {
  if (cause instanceof UpstreamRefusal || cause instanceof UpstreamViolation) return cause.response();
  const { code, publicMessage } = PosternError.from(cause);
  const sqlstate = { upstream_auth: '28000', upstream_unreachable: '08006', protocol_violation: '08P01' }[
    code as string
  ];
  return sqlstate === undefined ? undefined : errorResponse({ severity: 'FATAL', sqlstate, message: publicMessage });
}

/** Longest rest of a message that is still fetched for a client whose session is over. */
const maxRest = 1_048_576;
const patienceMs = 500;

/**
 * Completes a message of the server's that the client got in part, since our
 * own words would be taken for the rest of it. False where that cannot be done
 * soon.
 */
export function completeMessage(upstream: Duplex, client: Duplex, owed: number | undefined): Promise<boolean> {
  if (owed === 0) return Promise.resolve(true);
  if (owed === undefined || owed > maxRest || upstream.destroyed || client.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    let left = owed;
    const finish = (done: boolean): void => {
      clearTimeout(timer);
      upstream.off('data', onData).off('close', onClose);
      upstream.pause();
      resolve(done);
    };
    const onClose = (): void => finish(false);
    const onData = (chunk: Buffer): void => {
      client.write(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) finish(true);
    };
    const timer = setTimeout(() => finish(false), patienceMs).unref();
    upstream.on('data', onData).on('close', onClose).resume();
  });
}
