import { PosternError } from '@postern/plugin-sdk';
import { errorResponse } from './wire.js';

/** A database that does not keep to the protocol in the middle of a session: its fault, and not the client's. */
export class UpstreamViolation extends PosternError {
  constructor(cause: PosternError) {
    const text = `the database broke the protocol: ${cause.message}`;
    super('unavailable', text, { publicMessage: text, cause });
  }

  /** What the client hears of it. */
  response(): Buffer {
    return errorResponse({ severity: 'FATAL', sqlstate: '08P01', message: this.publicMessage });
  }
}
