/** What is known when a session is over, or did not begin. */
export interface Ended {
  /** The agent's own words, from the WebSocket's close frame. */
  readonly reason?: string | undefined;
  /** The status of an RDCleanPath error. */
  readonly status?: number | undefined;
  /** The status of the page itself, asked for afterwards: 0 for a redirect to the login. */
  readonly page?: number | undefined;
  /** What the client says. */
  readonly error?: string | undefined;
}

const byStatus: Readonly<Record<number, string>> = {
  401: 'The desktop asks for a fresh login. Log in again.',
  403: 'No role of yours allows this desktop with this account.',
  404: 'There is no such desktop, or it is not for you (any more).',
  502: 'The desktop cannot be reached.',
};

/** Why a session is over, in a sentence for the user. */
export function endingOf({ reason, status, page, error }: Ended): string {
  if (reason) return sentence(reason);
  if (page === 0) return 'Your login in this browser is over: you logged out, or a lock is in force. Log in again.';
  if (page === 404) return byStatus[404] ?? '';
  if (status !== undefined) return byStatus[status] ?? `The desktop was refused with status ${status}.`;
  if (error !== undefined && error !== '') return `The session broke off: ${error}`;
  return 'The connection to the desktop was lost.';
}

const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
