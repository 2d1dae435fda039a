export { WebSessionService, type WebSessionServiceOptions } from './web-session-service.js';
export {
  maxSecretLength,
  type AppCodeRequest,
  type RedeemRequest,
  type ResourceName,
  type WebCertificate,
  type WebCertificateRequest,
  type WebLoggedIn,
  type WebLogin,
  type WebResource,
  type WebSession,
  type WebSessions,
} from './web-sessions.js';
