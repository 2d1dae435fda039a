import { PosternError } from '@postern/plugin-sdk';

/** A credential that is not to be believed. The reason is for operators; the client learns only what helps an honest one. */
export const refused = (reason: string, publicMessage = 'the certificate was not accepted'): PosternError =>
  new PosternError('unauthenticated', reason, { publicMessage });

/** What the owner of an expired user certificate does next. */
export const loginAgain = 'run psh login';

/**
 * Throws `expired` or `unauthenticated` unless `now` lies in `[from, until)`.
 * `what` names the credential, `remedy` says what its owner does next.
 */
export function checkValidity(what: string, period: { from: Date; until: Date }, now: Date, remedy: string): void {
  const from = period.from.toISOString();
  const until = period.until.toISOString();
  if (now < period.from)
    throw refused(
      `${what} is not valid before ${from}`,
      `your certificate is not valid before ${from}; check the clock of this machine`,
    );
  if (now >= period.until)
    throw new PosternError('expired', `${what} expired at ${until}`, {
      publicMessage: `your certificate expired at ${until}; ${remedy}`,
    });
}

/** An authority speaks for its own cluster alone. */
export function checkCluster(claimed: string, authority: string): void {
  if (claimed !== authority)
    throw refused(`the certificate says cluster ${claimed}, its authority is that of ${authority}`);
}

/** Runs a parser of untrusted bytes: whatever it throws becomes a refusal. */
export function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (PosternError.is(cause)) throw cause;
    throw new PosternError('unauthenticated', `${what} is malformed`, {
      cause,
      publicMessage: 'the certificate was not accepted',
    });
  }
}
