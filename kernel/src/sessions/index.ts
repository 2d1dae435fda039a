export { Agent, type AgentOptions } from './agent.js';
export { type AgentServices, type EventPort } from './agent-services.js';
export { decideWanted, denialIn } from './admission.js';
export { ResourceDialer } from './dialer.js';
export { LiveSessions, type LiveSession } from './live-sessions.js';
export { loadRuntimes, type PluginRuntime } from './plugin-runtime.js';
export { healthDetail, healthWords, HealthTable, type ResourceHealth } from './resource-health.js';
export { SecretReader } from './secret-reader.js';
export { type SessionProof, type SessionSigning } from './session-signing.js';
