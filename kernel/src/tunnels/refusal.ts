import { PosternError, type ErrorCode } from '@postern/plugin-sdk';

/** Why a connection at the public port was refused, as it stands in the audit log. */
const codes = {
  /** More live connections from this address than it may have. */
  address_limit: 'limit_exceeded',
  /** More live connections than the port may have. */
  total_limit: 'limit_exceeded',
  /** Dropped as the oldest that had not said what it wants, to make room for others. */
  crowded_out: 'limit_exceeded',
  /** Nothing that anybody here recognises. */
  unrecognised: 'protocol_violation',
  /** Recognised, and malformed. */
  malformed: 'protocol_violation',
  /** Longer than an opening may be. */
  oversized: 'limit_exceeded',
  /** The opening did not end in time. */
  timeout: 'timeout',
  /** Closed by the client in the middle of its opening. */
  incomplete: 'aborted',
  /** Its protocol told the client why it cannot go on like this. */
  turned_away: 'protocol_violation',
  /** Bytes arrived before the answer that they should have waited for (CVE-2021-23222). */
  injected: 'protocol_violation',
  /** A name that leads nowhere. */
  unknown_name: 'not_found',
  /** Nobody is there who could take the connection. */
  unreachable: 'unavailable',
  /** A ticket that was never issued, was used before, or has expired. */
  bad_ticket: 'unauthenticated',
  /** No certificate, or none that may announce routes. */
  bad_certificate: 'unauthenticated',
  /** More messages to other connections than an address may send. */
  signal_limit: 'rate_limited',
  /** The protocol's own opening failed. */
  failed: 'internal',
} as const satisfies Record<string, ErrorCode>;

export type RefusalReason = keyof typeof codes;

export interface RefusalOptions {
  /** What the client is sent, in its own protocol. */
  readonly answer?: Buffer | undefined;
  /** What the client may read, where that is less than the message. */
  readonly publicMessage?: string;
  readonly cause?: unknown;
}

/** Ends a connection before anybody has taken it. */
export class Refusal extends PosternError {
  readonly answer: Buffer | undefined;

  constructor(
    readonly reason: RefusalReason,
    message: string,
    { answer, publicMessage = message, cause }: RefusalOptions = {},
  ) {
    super(codes[reason], message, { publicMessage, cause });
    this.answer = answer;
  }

  /** What was thrown, as a refusal: an error of a known kind keeps its messages, anything else is `failed`. */
  static override from(thrown: unknown): Refusal {
    if (thrown instanceof Refusal) return thrown;
    const { code, message, publicMessage } = PosternError.from(thrown);
    return new Refusal(reasons[code] ?? 'failed', message, { publicMessage, cause: thrown });
  }

  /** The same refusal with an answer for the client. */
  answering(answer: Buffer): Refusal {
    const { reason, message, publicMessage, cause } = this;
    return new Refusal(reason, message, { answer, publicMessage, cause });
  }
}

const reasons: Partial<Record<ErrorCode, RefusalReason>> = {
  aborted: 'incomplete',
  limit_exceeded: 'oversized',
  not_found: 'unknown_name',
  protocol_violation: 'malformed',
  timeout: 'timeout',
  unavailable: 'unreachable',
};
