export { DialledStream } from './dialled-stream.js';
export { duplexPair } from './duplex-pair.js';
export { FakeHost, fakeHost, type FakeEvent, type FakeHostOptions, type FakeLogLine } from './fake-host.js';
export { fakeIdentity } from './fake-identity.js';
export { FakeRecording, type RecordedEntry } from './fake-recording.js';
export { dialTcp, loopback, type Loopback } from './loopback.js';
