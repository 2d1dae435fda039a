export { SocketPairs } from './socket-pairs.js';
export { contextOf, WebCertificate, type WebKeyPair } from './web-certificate.js';
export { WebGateway, type WebGatewayOptions } from './web-gateway.js';
