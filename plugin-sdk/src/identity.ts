/** Who a verified certificate says the user is. Nothing else that a client sends is believed. */
export interface Identity {
  readonly user: string;
  readonly cluster: string;
  readonly roles: readonly string[];
  readonly traits: Readonly<Record<string, readonly string[]>>;
  /** Whom the user may become, by protocol id. */
  readonly principals: Readonly<Record<string, readonly string[]>>;
  /** The user's generation when the certificate was issued: agents refuse older ones. */
  readonly generation: number;
  /** Lower-case hexadecimal; names the certificate in locks and in the audit log. */
  readonly serial: string;
  readonly expires: Date;
  /** How the user proved a second factor for this certificate, if at all. */
  readonly mfa?: { readonly device: string; readonly at: Date };
  /** Ids of the access requests whose roles are among `roles`. */
  readonly requests: readonly string[];
  /** The only address from which this certificate may be used, where the role pins it. */
  readonly pinnedAddress?: string;
  /** How the user comes where that is not with a program of their own: `web` for a browser, whose TLS ends at the proxy. */
  readonly via?: string;
}

/** Why the answer is no. `message` is safe to show to the user and says what to do next. */
export interface Denial {
  readonly code:
    | 'unauthenticated'
    | 'access_denied'
    | 'not_found'
    | 'mfa_required'
    | 'locked'
    | 'expired'
    | 'limit_exceeded'
    | 'unavailable'
    | 'internal';
  readonly message: string;
}
