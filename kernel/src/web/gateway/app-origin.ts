import type http from 'node:http';
import { isSafeMethod } from './safe-method.js';

/**
 * Why a request at the host of an application is not passed on: another site,
 * be it a neighbour under the same domain, must not act or read in the name of
 * somebody who happens to be logged in. Links from elsewhere are followed.
 */
export function foreignRequest({ method, headers }: http.IncomingMessage): string | undefined {
  if (!isSafeMethod(method)) return isOwn(headers) ? undefined : 'This request comes from another site.';
  const site = headers['sec-fetch-site'];
  const fromElsewhere = site === 'cross-site' || site === 'same-site';
  // Into a frame of another site nobody follows a link: there an application could be made to be clicked on unseen.
  const into = headers['sec-fetch-dest'] ?? 'document';
  const isLink = headers['sec-fetch-mode'] === 'navigate' && into === 'document';
  return fromElsewhere && !isLink ? 'This is not for pages of other sites.' : undefined;
}

/** What says neither where it is from is no browser of today, whose cookies are not sent along from other sites. */
function isOwn({ origin, host = '', 'sec-fetch-site': site }: http.IncomingHttpHeaders): boolean {
  if (origin !== undefined && origin.toLowerCase() !== `https://${host.toLowerCase()}`) return false;
  return site === undefined || site === 'same-origin' || site === 'none';
}
