/** What is known when a session is over, or did not begin. */
export interface Ended {
  /** The agent's own words, from the WebSocket's close frame. */
  readonly reason?: string | undefined;
  /** The status of the page itself, asked for afterwards: 0 for a redirect to the login. */
  readonly page?: number | undefined;
  /** What the client says. */
  readonly error?: string | undefined;
}

/** Why a session is over, in a sentence for the user. */
export function endingOf({ reason, page, error }: Ended): string {
  // Here one logs in with the browser.
  if (reason) return sentence(reason.replace(/: psh login$/, ''));
  if (page === 0) return 'Your login in this browser is over: you logged out, or a lock is in force. Log in again.';
  if (page === 404) return 'There is no such desktop, or it is not for you (any more).';
  if (error !== undefined && error !== '') return `The session broke off: ${error}`;
  return 'The connection to the desktop was lost.';
}

const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
