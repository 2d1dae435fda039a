import { PosternError, type ErrorCode } from '../errors.js';

/**
 * What the other side said is not HTTP/1.1 as this codec accepts it. `status` is
 * the answer that a client gets; nothing behind the offending bytes may be read
 * any more, since it is not known where the next message begins.
 */
export class HttpRefusal extends PosternError {
  constructor(
    readonly status: 400 | 417 | 421 | 431 | 501 | 505,
    message: string,
  ) {
    const code: ErrorCode = status === 431 ? 'limit_exceeded' : 'protocol_violation';
    super(code, message, { publicMessage: message });
  }
}
