/** At the host of an application: who visits it. Good for this application alone. */
export const appCookie = '__Host-postern-app';

/** At the host of an application: ties a login to the browser that began it. */
export const nonceCookie = '__Host-postern-nonce';

/** Below it, the host of an application is ours. */
export const ownPath = '/.postern/';

/** Where a login comes back to. */
export const enterPath = `${ownPath}enter`;

/** At the cluster's own name: where an application sends those that it does not know. */
export const launchPath = '/web/launch';

const maxLength = 2048;

/** A path of the same host, to go on to; `/` for anything else. Two slashes or a backslash would name another host. */
export function localPath(wanted: string | null | undefined): string {
  const fits = wanted && wanted.length <= maxLength && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(wanted);
  return fits && !wanted.startsWith(ownPath) ? wanted : '/';
}

/** The port of a `Host` with its colon, or nothing: the cluster and its applications are at the same one. */
export const portOf = (host: string | undefined): string => /:\d{1,5}$/.exec(host ?? '')?.[0] ?? '';
