export { quickProxy } from './quick-proxy.js';
