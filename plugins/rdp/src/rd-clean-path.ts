import { asBuffer, Malformed } from './bytes.js';
import { fieldsOf, integer, numberIn, octets, octetsIn, sequence, tagged, utf8 } from './der.js';

/** The longest request: addresses, a token that is not used, and an X.224 unit. */
export const maxCleanPathBytes = 16_384;

const version = 3390;

/** What a browser's client sends first: RDCleanPath (Devolutions), DER with explicit tags. */
export interface CleanPathRequest {
  /** The X.224 Connection Request, with its TPKT header. */
  readonly connectionRequest: Buffer;
}

export function readCleanPath(bytes: Uint8Array): CleanPathRequest {
  const fields = fieldsOf(bytes);
  const [said, destination, request] = [fields.get(0), fields.get(2), fields.get(6)];
  if (!said || numberIn(said) !== version) throw new Malformed('not RDCleanPath of the known version');
  // Requests name a destination; where they lead was decided by the host's name, long before.
  if (!destination || !request) throw new Malformed('not an RDCleanPath request');
  return { connectionRequest: asBuffer(octetsIn(request)) };
}

/** Says that the target was reached. The certificate is the gateway's own: the browser learns nothing of the target. */
export const cleanPathResponse = (name: string, confirm: Buffer, certificate: Buffer): Buffer =>
  sequence(
    tagged(0, integer(version)),
    tagged(6, octets(confirm)),
    tagged(7, sequence(octets(certificate))),
    tagged(9, utf8(name)),
  );

/** Says no, with the status that HTTP has for it. */
export const cleanPathFailure = (status: number): Buffer =>
  sequence(tagged(0, integer(version)), tagged(1, sequence(tagged(0, integer(1)), tagged(1, integer(status)))));
