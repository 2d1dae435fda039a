// Tests of a plugin run sessions as an agent does; the plugin itself must not.
export { startSession, type Outcome, type RunningSession } from '../host/index.js';
export { checkConformance, conformance, type CheckResult, type Runner } from './conformance.js';
export { DialledStream } from './dialled-stream.js';
export { duplexPair } from './duplex-pair.js';
export { FakeHost, fakeHost, type FakeEvent, type FakeHostOptions, type FakeLogLine } from './fake-host.js';
export { fakeIdentity } from './fake-identity.js';
export { FakeRecording, type RecordedEntry } from './fake-recording.js';
export { type Bytes, type Conversation, type Harness, type Step, type Upstream } from './harness.js';
export { dialTcp, loopback, type Loopback } from './loopback.js';
export { findProgram, needProgram } from './need-program.js';
