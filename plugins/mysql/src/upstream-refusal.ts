import { PosternError } from '@postern/plugin-sdk';
import { encodePacket, errorPayload, type ServerError } from './wire.js';

/** The database's own no, which the client is told as the database said it. */
export class UpstreamRefusal extends PosternError {
  constructor(readonly error: ServerError) {
    super('upstream_auth', `the database refused: ${error.number} ${error.message}`, {
      publicMessage: `the database refused the login (${error.number})`,
    });
  }

  packet(sequence: number): Buffer {
    return encodePacket(sequence, errorPayload(this.error));
  }
}
