export { type WebSession, type WebSessions } from './sessions/index.js';
