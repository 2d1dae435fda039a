/**
 * Whether a request that changes something comes from a page of the same origin.
 * Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; what says neither,
 * or the contrary in one of them, is not.
 */
export function isFromOwnOrigin(request: Request): boolean {
  const site = request.headers.get('sec-fetch-site');
  const origin = request.headers.get('origin');
  if (site === null && origin === null) return false;
  return (site === null || site === 'same-origin') && (origin === null || origin === originOf(request));
}

/** Browsers come by TLS, whatever the adapter thinks. */
const originOf = ({ url }: Request): string => `https://${new URL(url).host}`;
