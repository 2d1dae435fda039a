export interface PageHeadersOptions {
  /** True where browsers were given a certificate that they trust: only then may they be told to insist on one. */
  readonly strictTransport: boolean;
  /** The domain below which applications are, where there is one: a login may lead there. */
  readonly appsDomain?: string | undefined;
}

/** The headers of every page at the cluster's own name: nothing from elsewhere, no scripts in pages, in nobody's frame. */
export function pageHeaders({ strictTransport, appsDomain }: PageHeadersOptions): Readonly<Record<string, string>> {
  // Browsers hold the redirect that follows a form against this too.
  const targets = appsDomain === undefined ? "'self'" : `'self' https://*.${appsDomain}:*`;
  return {
    'content-security-policy': `default-src 'none'; style-src 'self'; img-src 'self'; form-action ${targets}; frame-ancestors 'none'; base-uri 'none'`,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // With `no-referrer` browsers would send forms with the origin `null`.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'cache-control': 'no-store',
    ...(strictTransport && { 'strict-transport-security': 'max-age=31536000' }),
  };
}
