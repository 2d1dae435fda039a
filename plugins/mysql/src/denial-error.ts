import type { Denial } from '@postern/plugin-sdk';
import type { ServerError } from './wire.js';

/** Numbers and states of errors that clients know (MySQL and MariaDB, error reference). */
const errors: Readonly<Record<Denial['code'], Omit<ServerError, 'message'>>> = {
  unauthenticated: { number: 1045, state: '28000' },
  access_denied: { number: 1045, state: '28000' },
  not_found: { number: 1049, state: '42000' },
  mfa_required: { number: 1045, state: '28000' },
  locked: { number: 1045, state: '28000' },
  expired: { number: 1045, state: '28000' },
  limit_exceeded: { number: 1226, state: '42000' },
  unavailable: { number: 1105, state: 'HY000' },
  internal: { number: 1105, state: 'HY000' },
};

/** ER_CONNECTION_KILLED of MariaDB: what an established session is told. */
const killed = { number: 1927, state: '70100' };

/** A denial as a server would say it. */
export const denialError = ({ code, message }: Denial, running: boolean): ServerError => ({
  ...(running ? killed : errors[code]),
  message,
});
