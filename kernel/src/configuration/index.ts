export { DocumentSource } from './document-source.js';
export { loadConfiguration, parseConfiguration, type LoadedConfiguration } from './load.js';
export { nearest } from './nearest.js';
export { configuration, listenAddress, type Address, type Configuration } from './schema.js';
