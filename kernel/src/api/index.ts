export { Api, type ApiOptions } from './api.js';
export { ApiClient, type Connect } from './api-client.js';
export { callerName, type Caller } from './caller.js';
export { implement, type Answer, type Call, type Handler } from './handler.js';
export { openApi } from './openapi.js';
