/**
 * The cookies of the cluster's own name. `__Host-` makes browsers refuse them
 * from other hosts, from plain HTTP, and with another path (RFC 6265bis,
 * section 4.1.3.2).
 */
export const sessionCookie = '__Host-postern';

/** Ties a login form to the browser that it was shown to. */
export const formCookie = '__Host-postern-form';

/**
 * The value of a cookie, from a `Cookie` header, which is no longer than heads
 * may be: whoever fills it with cookies of another host shuts nobody out here.
 * One that comes twice is none: somebody has put the other there.
 */
export function readCookie(header: string | null | undefined, name: string): string | undefined {
  if (!header) return undefined;
  const [value, ...more] = header.split(';').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at > 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : [];
  });
  return more.length === 0 ? value : undefined;
}

/** A `Set-Cookie` header. The browser forgets the cookie when it is closed. */
export const setCookie = (name: string, value: string): string =>
  `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax`;

/** A `Set-Cookie` header that makes the browser forget. */
export const forgetCookie = (name: string): string => `${setCookie(name, '')}; Max-Age=0`;
