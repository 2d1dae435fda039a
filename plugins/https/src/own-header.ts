/**
 * Names by which applications learn who somebody is, or from where: none of a
 * client's may reach them. Names in lower case, with `-` for `_`.
 */
const exact: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'cf-access-jwt-assertion',
  'fastly-client-ip',
  'remote-user',
  'remote-groups',
  'remote-email',
  'remote-name',
  'remote-addr',
  'front-end-https',
  'host',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-proxyuser-ip',
  'x-original-url',
  'x-original-host',
  'x-original-uri',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-user',
  'x-username',
  'x-email',
  'x-groups',
  'x-host',
  'proxy',
]);

const beginnings: readonly string[] = [
  'postern-',
  'x-postern-',
  'x-forwarded-',
  'x-remote-',
  'x-auth-',
  'x-authentik-',
  'x-pomerium-',
  'x-token-',
  'x-user-',
  'sm-',
  'oidc-',
  'x-authenticated-',
  'x-webauth-',
  'x-ssl-',
  'x-client-cert',
  'ssl-client-',
  'x-goog-authenticated-',
  'x-goog-iap-',
  'x-ms-client-principal',
  'x-amzn-oidc-',
  'x-envoy-',
  'tailscale-user-',
];

/** What a client proves itself with to the application, or says of its program: as with `Authorization`, that is between them. */
const theirs: ReadonlySet<string> = new Set(['x-auth-token', 'x-auth-key', 'x-user-token', 'x-user-agent']);

/** True for fields that only we may set. `name` in any spelling: servers take `_` for `-`. */
export function ownHeader(name: string): boolean {
  const canonical = name.toLowerCase().replaceAll('_', '-');
  if (theirs.has(canonical)) return false;
  return exact.has(canonical) || canonical === 'x-forwarded' || beginnings.some((start) => canonical.startsWith(start));
}
