export { isOfActiveKey } from './active-key.js';
export { type AssertionRequest } from './assertion.js';
export { authorityBundle, bundleOf, type AuditKey, type AuthorityBundle, type JsonWebKey } from './authority-bundle.js';
export { authorityKinds, signsFrom, type AuthorityKind } from './authority-kind.js';
export { rotateAuthority, type RotationRequest } from './authority-rotation.js';
export { authorityPrefix, type AuthorityStoreOptions } from './authority-store.js';
export { authorityPin, matchesPin } from './fingerprint.js';
export {
  identityExtensionName,
  identityOid,
  type CertifiedIdentity,
  type IdentityClaims,
} from './identity-extension.js';
export { CertificateIssuer, type IssuedUntil, type OpenSshLoginRequest } from './issuer.js';
export { decodeKeySet, rotationPhases, type AuthorityKey, type KeySet, type RotationPhase } from './key-set.js';
export {
  assertionLifetime,
  installedLifetime,
  serviceLifetime,
  upstreamLifetime,
  userLifetime,
  type LifetimeLimit,
} from './lifetime.js';
export {
  checkName,
  clusterName,
  databaseUserName,
  dnsName,
  isInsideCluster,
  serviceName,
  userName,
} from './name-grammar.js';
export { parseOpenSshCertificate, type OpenSshCertificate } from './openssh-certificate.js';
export { type OpenSshPermissions } from './openssh-issue.js';
export { decodeOpenSshKey, encodeOpenSshKey, openSshFingerprint } from './openssh-key.js';
export { knownHostsLines, openSshLine, parseOpenSshLine } from './openssh-lines.js';
export { encodeOpenSshPrivateKey } from './openssh-private-key.js';
export { followingPhase, rotationSteps, type RotationStep } from './rotation-step.js';
export { sealedAuthorityPrefix } from './sealed-authority.js';
export { EnvelopeSealer, type KeyWrapper, type Sealer } from './sealing.js';
export { serviceOid, serviceRoles, type ServiceIdentity, type ServiceRole } from './service-extension.js';
export { trustAuthority, type TrustedAuthority } from './trusted-authority.js';
export { type Issued, type UserCertificateRequest, type UserCertificates } from './user-certificates.js';
export { verifyOpenSshCertificate, type OpenSshExpectation } from './verify-openssh-certificate.js';
export { verifyOpenSshHostCertificate, verifyOpenSshUserCertificate } from './verify-openssh.js';
export { verifyServiceCertificate } from './verify-service.js';
export { verifyUserCertificate } from './verify-user.js';
export { openWrappingKey, type WrappingKeyOptions } from './wrapping-key.js';
