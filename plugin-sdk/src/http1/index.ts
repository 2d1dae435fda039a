export { requestFraming, responseFraming, type BodyFraming } from './body-framing.js';
export { BodyTracker, type BodyTrackerOptions } from './body-tracker.js';
export { HeadCollector } from './head-collector.js';
export { HeaderFields, isFieldValue, isToken, type HeaderField } from './header-fields.js';
export { connectionOptions, forwardedFields, type ConnectionOptions } from './hop-by-hop.js';
export { HttpRefusal } from './http-refusal.js';
export { encodeRequestHead, readRequestHead, type RequestHead } from './request-head.js';
export { encodeResponseHead, readResponseHead, type ResponseHead } from './response-head.js';
