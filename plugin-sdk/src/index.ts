export {
  event,
  field,
  isClassified,
  redact,
  sensitivityOf,
  type AuditPort,
  type EventCatalog,
  type EventType,
  type Hold,
  type Sensitivity,
} from './audit.js';
export {
  type Addition,
  type ClientModule,
  type ClientProfile,
  type ClientSetup,
  type ClientTarget,
  type CommandSummary,
  type ConnectOptions,
  type Invocation,
  type LocalAddress,
  type Printed,
} from './client.js';
export { type Credentials, type ServerCredentials, type OpenSshCredential, type TlsCredential } from './credentials.js';
export { inject, injectable } from './di.js';
export { errorCodes, PosternError, type ErrorCode } from './errors.js';
export { FrameReader } from './frame-reader.js';
export { type Denial, type Identity } from './identity.js';
export { type Onward, type Opening } from './opening.js';
export {
  type Exporter,
  type ExportOptions,
  type PlayerModule,
  type RecordedEntry,
  type RecordedSession,
} from './player.js';
export { matchesAny, matchesPattern } from './pattern.js';
export {
  definePlugin,
  type AgentModule,
  type Health,
  type Plugin,
  type Probe,
  type ProbeContext,
  type ProxyModule,
} from './plugin.js';
export {
  defineProtocol,
  type AccessOf,
  type AnyProtocol,
  type AskOf,
  type Authorization,
  type ConfigOf,
  type Endpoint,
  type Protocol,
  type RecordingKind,
  type SessionSpan,
  type SpecOf,
  type StatementVocabulary,
  type Transport,
  webAlpn,
} from './protocol.js';
export { type Recording, type RecordingFormat } from './recording.js';
export { relay, type RelayOptions, type Tap, type Tapped } from './relay.js';
export { Scope, token, type Class, type Token } from './scope.js';
export { Secret } from './secret.js';
export { SessionContext, type ClientLink, type Grant, type Logger, type Resource, type Session } from './session.js';
export { probeUpstream, secretOf, withinLogin, type LoginOptions } from './upstream-login.js';
export {
  hostName,
  secretName,
  upstreamTls,
  type SecretByUser,
  type UpstreamSpec,
  type UpstreamTls,
} from './upstream-spec.js';
export { encryptUpstream, probeTlsOptions, upstreamTlsOptions, upstreamUnreachable } from './upstream-tls.js';
export { type WebModule, type WebView } from './web.js';
export { write } from './write.js';
