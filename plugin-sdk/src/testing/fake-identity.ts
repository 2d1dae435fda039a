import type { Identity } from '../identity.js';

/** Alice, with a certificate that is good for an hour. */
export function fakeIdentity(changes: Partial<Identity> = {}): Identity {
  return {
    user: 'alice',
    cluster: 'cluster.test',
    roles: ['tester'],
    traits: {},
    principals: {},
    generation: 1,
    serial: '0a1b2c3d4e5f',
    expires: new Date(Date.now() + 3_600_000),
    requests: [],
    ...changes,
  };
}
