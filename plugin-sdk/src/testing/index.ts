export { duplexPair } from './duplex-pair.js';
export { dialTcp, loopback, type Loopback } from './loopback.js';
