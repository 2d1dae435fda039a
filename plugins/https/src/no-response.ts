import { PosternError } from '@postern/plugin-sdk';

/** Why no response has begun. */
export class NoResponse extends Error {
  constructor(
    override readonly cause: unknown,
    /** A connection that had been idle was closed without a word: most likely nobody has seen the request. */
    readonly stale: boolean,
  ) {
    super('no response');
  }
}

/** What the application says is no HTTP that could be passed on. */
export function improper(cause: unknown): PosternError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new PosternError('upstream_unreachable', `the application answers no proper HTTP: ${message}`, {
    publicMessage: 'the application answers no proper HTTP',
    cause,
  });
}

/** The application has not begun to answer in time. */
export const late = (): PosternError => PosternError.public('timeout', 'the application did not answer in time');

/** What a failure to get an answer means, for operators and for clients. */
export function unanswered(failure: unknown): PosternError {
  const cause = failure instanceof NoResponse ? failure.cause : failure;
  if (PosternError.is(cause)) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new PosternError('upstream_unreachable', `the application did not answer: ${message}`, {
    publicMessage: 'the application did not answer as it should',
    cause,
  });
}
