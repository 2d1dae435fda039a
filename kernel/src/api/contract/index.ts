export { eventView, getCheckpoint, searchEvents, tailEvents } from './audit.js';
export {
  authorityView,
  certifyDatabaseServer,
  getAuthority,
  getKeySet,
  listAuthorities,
  rotateAuthority,
  rotationView,
} from './authorities.js';
export { clusterInfo, getCluster, getStatus } from './cluster.js';
export {
  deleteDocument,
  document,
  explainAccess,
  getDocument,
  listDocuments,
  listResources,
  putDocument,
  resourceView,
} from './documents.js';
export { endpoint, verbs, type Access, type Endpoint, type InputOf, type OutputOf, type Verb } from './endpoint.js';
export { createLock, deleteLock, listLocks, lockTarget, lockView } from './locks.js';
export { getMe, identityView, issued, login, userName } from './login.js';
export { addDevice, confirmDevice, deviceView, listDevices, removeDevice } from './mfa.js';
export { endSession, getRecordingFile, listRecordings, listSessions, recordingView, sessionView } from './sessions.js';
export {
  acceptInvite,
  createUser,
  deleteUser,
  getInvite,
  invitation,
  listUsers,
  resetUser,
  unlockUser,
  updateUser,
  userView,
} from './users.js';
export {
  beginWebSession,
  certifyWebSession,
  createAppCode,
  endWebSession,
  followWebSessions,
  getAppSession,
  getWebSession,
  listWebResources,
  redeemAppCode,
} from './web.js';
