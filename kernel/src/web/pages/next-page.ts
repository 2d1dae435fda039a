/** Where somebody goes who has no other wish. */
export const launcherPath = '/web/';

const maxLength = 4096;

/**
 * Where to go after a login: a path of this host below `/web/`, as the request
 * for the login named it. Anything else would let a link send people, who have
 * just typed their password, somewhere else.
 */
export function nextPage(wanted: string | null | undefined): string {
  if (!wanted || wanted.length > maxLength || !/^\/web\/[\x21-\x7e]*$/.test(wanted)) return launcherPath;
  const base = 'https://here.invalid';
  if (!URL.canParse(wanted, base)) return launcherPath;
  // What the parser makes of it is what the browser will make of it.
  const { origin, pathname, search } = new URL(wanted, base);
  const path = origin === base ? pathname + search : '';
  return path.startsWith('/web/') && !isLoginPath(path) ? path : launcherPath;
}

const isLoginPath = (path: string): boolean => /^\/web\/log(in|out)\b/.test(path);

/** The login page, from where somebody comes back to a path. */
export const loginPath = (next?: string): string =>
  next === undefined || next === launcherPath ? '/web/login' : `/web/login?next=${encodeURIComponent(next)}`;
