import type { CertifiedIdentity } from '../certificates/index.js';

/** Whose a session is, as a key: a certificate, or a browser's session, which has another certificate every minute. */
export const holderOf = ({ user, serial, web }: CertifiedIdentity): string =>
  JSON.stringify(web ? ['web', user, web.session] : ['certificate', user, serial]);
