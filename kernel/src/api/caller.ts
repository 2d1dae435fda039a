import type { Identity } from '@postern/plugin-sdk';

/** Who calls the API, and from where. */
export interface Caller {
  /**
   * - `anonymous`: no certificate, or none that holds; `problem` says which.
   * - `user`: a verified user certificate.
   * - `local`: somebody who may open the socket in the data directory, which is 0600: the machine's administrator.
   */
  readonly who:
    | { readonly kind: 'anonymous'; readonly problem?: string }
    | { readonly kind: 'user'; readonly identity: Identity }
    | { readonly kind: 'local' };
  readonly source: string;
  /** The name of the proxy of this cluster whose certificate came. It is nobody for all that is for users. */
  readonly proxy?: string;
  /** The connection that the call came on, where several calls may come on one. */
  readonly connection?: object | undefined;
}

/** The name that stands in the audit log. */
export function callerName({ who }: Caller): string {
  if (who.kind === 'user') return who.identity.user;
  return who.kind === 'local' ? 'local administrator' : 'anonymous';
}
