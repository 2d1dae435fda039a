export { within } from './deadline.js';
export { denialFrom, denialOf } from './denial.js';
export { probeResource } from './probe-resource.js';
export { defaultLimits, type Admission, type Outcome, type SessionHost, type SessionLimits } from './session-host.js';
export { startSession, type RunningSession } from './start-session.js';
