export { Collection, type Document, type DocumentChange, type ListOptions, type WriteOptions } from './collection.js';
export { encodePath, type DocumentPath } from './document-path.js';
export { follow, type Following } from './follow.js';
export { checkCommit, checkKey, checkLimit, checkPrefix, checkRevision, limits } from './limits.js';
export { lockData, openStorage, storeFile, type ClusterStore, type OpenStorageOptions } from './open-storage.js';
export { type StorageHealth } from './outage.js';
export { SqliteStore, type SqliteStoreOptions } from './sqlite-store.js';
export { type Change, type Check, type Commit, type Entry, type Put, type RangeOptions, type Store } from './store.js';
