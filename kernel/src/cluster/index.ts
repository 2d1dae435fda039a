export { type AuthService } from './auth-service.js';
export { ClusterView, type ClusterViewOptions } from './cluster-view.js';
export { DataDirectory } from './data-directory.js';
export { hostLabel } from './host-label.js';
export { prefixes, resourceDocument, type ResourceDocument } from './documents.js';
export { startCluster, type RunningCluster, type StartClusterOptions } from './start-cluster.js';
