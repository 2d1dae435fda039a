export { asciicast, type TerminalResize } from './asciicast.js';
export { LocalRecordings } from './local-recordings.js';
export { recordingFiles, recordingMetadata, type RecordingMetadata } from './metadata.js';
export {
  type RecordingFilter,
  type RecordingInProgress,
  type RecordingStart,
  type RecordingStore,
} from './recording-store.js';
export { terminalFrames, type TerminalFrame } from './terminal-frames.js';
export { readTiming, terminalDurationMs } from './timing.js';
