/** A resource by its kind and name. */
export interface ResourceName {
  readonly kind: string;
  readonly name: string;
}

/** What a browser proves itself with at a login. */
export interface WebLogin {
  readonly user: string;
  readonly password: string;
  /** The current TOTP code, where the user has one. */
  readonly code?: string | undefined;
  /** Replaces a one-time password. */
  readonly newPassword?: string | undefined;
}

/** A session of a browser, as the proxy may know it. */
export interface WebSession {
  /** Names the session in certificates and in the audit log. No secret: it opens nothing. */
  readonly id: string;
  readonly user: string;
  readonly roles: readonly string[];
  /** When it ends, however it is used. */
  readonly expires: Date;
}

/** A session that has just begun. */
export interface WebLoggedIn {
  /** The value of the browser's cookie. Whoever has it is the user. */
  readonly cookie: string;
  readonly session: WebSession;
}

/** A resource that a user may see, as the launcher shows it. */
export interface WebResource extends ResourceName {
  /** The title of its kind. */
  readonly title: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whom the user may become there. */
  readonly principals: readonly string[];
  /** Whether a session could start, where it is known. */
  readonly health?: { readonly ok: boolean; readonly detail: string };
}

export interface WebCertificateRequest {
  /** The browser's cookie, or that of an application, which opens that application alone. */
  readonly cookie: string;
  readonly resource: ResourceName;
  /** SPKI PEM, ECDSA P-256: a fresh key of the proxy. */
  readonly publicKey: string;
  /** The client's address, as the proxy sees it. The certificate is good for it alone. */
  readonly address: string;
}

export interface WebCertificate {
  /** PEM chain. */
  readonly certificate: string;
  /** At most a minute from now. */
  readonly expires: Date;
  readonly session: WebSession;
}

/**
 * What a proxy asks the Auth Service about browsers. The proxy decides nothing:
 * it hands over what the browser sent and the address that it came from, and is
 * told who that is. Everything is looked up anew at each call, so that a session
 * that has ended is over at once.
 *
 * Values of cookies and codes are opaque texts of at most {@link maxSecretLength}
 * characters; longer ones, and others that cannot be, belong to nobody.
 */
export interface WebSessions {
  /**
   * Begins a session. Always with a new cookie, whatever the browser had before.
   * Rejects with `unauthenticated`, `mfa_required`, `password_change_required`,
   * `invalid_argument` (a new password that is none), `locked`, `rate_limited`,
   * or what the roles say; every `publicMessage` is for the page.
   */
  login(login: WebLogin, address: string): Promise<WebLoggedIn>;

  /** Whose cookie it is; `undefined` where it is nobody's (any more), or not from this address. Counts as use. */
  session(cookie: string, address: string): Promise<WebSession | undefined>;

  /** Ends the session, and with it the cookies of its applications. No error where there is none. */
  logout(cookie: string, address: string): Promise<void>;

  /** The resources that the user may see. Rejects with `unauthenticated` without a session. */
  resources(cookie: string, address: string): Promise<readonly WebResource[]>;

  /**
   * A certificate for one resource. Rejects with `unauthenticated` where the
   * cookie is nobody's or another application's, with `not_found` for a resource
   * that does not exist, with `access_denied` for one that the user may not see,
   * and with what else the roles say. Recorded before it is given.
   */
  certificate(request: WebCertificateRequest): Promise<WebCertificate>;

  /**
   * A code that brings a session to the host of an application: good for a
   * minute, once, for this application, and with this nonce, which the browser
   * has in a cookie of the application's host. Rejects with `unauthenticated`,
   * and as {@link certificate} where the user may not see the application.
   */
  appCode(request: AppCodeRequest): Promise<string>;

  /**
   * Uses a code up and answers with the value of the application's own cookie.
   * Rejects with `unauthenticated` for a code that is none, is too old, was used
   * before, or belongs to another application or nonce. It is used up either way.
   */
  redeem(request: RedeemRequest): Promise<string>;

  /** As {@link session}, by the cookie of one application: another's is nobody's. */
  appSession(cookie: string, app: ResourceName, address: string): Promise<WebSession | undefined>;

  /**
   * Calls the listener with the id of each session that has ended, for whatever
   * reason, until the returned function is called: connections that were made
   * for it must be closed.
   */
  onEnd(listener: (session: string) => void): () => void;
}

export interface AppCodeRequest {
  /** The browser's cookie at the cluster's own name. */
  readonly cookie: string;
  readonly app: ResourceName;
  readonly nonce: string;
  readonly address: string;
}

export interface RedeemRequest {
  readonly code: string;
  readonly app: ResourceName;
  readonly nonce: string;
  readonly address: string;
}

/** Longer values are nobody's. */
export const maxSecretLength = 128;
