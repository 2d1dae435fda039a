import { deserialize, type Document } from 'bson';
import type { Request } from './request.js';

/** What of a greeting goes on to the server. The rest would agree on what cannot be followed or is not the client's business. */
const passedOn = ['helloOk', 'client', 'comment'] as const;

/** What of the answer goes on to the client: what it can do with this one server, and nothing about any other. */
const passedBack = [
  'helloOk',
  'ismaster',
  'isWritablePrimary',
  'maxBsonObjectSize',
  'maxMessageSizeBytes',
  'maxWriteBatchSize',
  'localTime',
  'logicalSessionTimeoutMinutes',
  'connectionId',
  'minWireVersion',
  'maxWireVersion',
  'readOnly',
  'ok',
  '$clusterTime',
  'operationTime',
] as const;

/** The documents of greetings are small; drivers keep what they say of themselves below 512 bytes. */
const maxHelloBytes = 16_384;

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

/** Reads a small document. Nothing where it is large, deep or malformed. */
export function smallDocument(data: Buffer): Document | undefined {
  if (data.length > maxHelloBytes) return undefined;
  try {
    const document = deserialize(data, { promoteValues: false, promoteBuffers: false });
    return depthOf(document) <= 12 ? document : undefined;
  } catch {
    return undefined;
  }
}

/** What the server gets of a client's greeting. */
export function serverHello({ name, data, body }: Request): Document | undefined {
  const said = smallDocument(data.subarray(body.start, body.end));
  if (!said) return undefined;
  // The old word has the same answer but for a field, which clients that know only that one look for.
  const command = name === 'hello' ? { hello: 1 } : { isMaster: 1 };
  return { ...command, ...pick(said, passedOn), $db: 'admin' };
}

const pick = (from: Document, names: readonly string[]): Document =>
  Object.fromEntries(names.flatMap((name) => (Object.hasOwn(from, name) ? [[name, from[name] as unknown]] : [])));

export interface HelloLimits {
  readonly maxMessageBytes: number;
}

/**
 * The server's answer without its neighbours. A member of a replica set is
 * shown as a router, since that is the one thing behind one address at which
 * drivers use transactions and retry writes.
 */
export function clientHello(answer: Document, { maxMessageBytes }: HelloLimits): Document {
  const shown = pick(answer, passedBack);
  const member = answer['setName'] !== undefined || answer['msg'] === 'isdbgrid' || answer['isreplicaset'] === true;
  for (const name of ['maxMessageSizeBytes', 'maxBsonObjectSize'] as const)
    if (name in shown) shown[name] = Math.min(Number(shown[name]), maxMessageBytes);
  return { ...shown, ...(member && { msg: 'isdbgrid' }) };
}

/** A login that a client wants: whether it is by its certificate, and as whom. */
export interface Login {
  readonly certificate: boolean;
  readonly user?: string;
}

/** Whom a greeting says that the client will log in as, by its certificate. */
export function announcedLogin(request: Request): Login {
  const said = smallDocument(request.data.subarray(request.body.start, request.body.end));
  return loginOf(said?.['speculativeAuthenticate']);
}

/** Whom a command logs in, and whether it is by a certificate. */
export const loginIn = ({ name, data, body }: Request): Login =>
  name === 'authenticate' ? loginOf(smallDocument(data.subarray(body.start, body.end))) : { certificate: false };

function loginOf(said: unknown): Login {
  const { mechanism, user } = (said ?? {}) as { readonly mechanism?: unknown; readonly user?: unknown };
  const certificate = mechanism === 'MONGODB-X509';
  return { certificate, ...(certificate && typeof user === 'string' && user !== '' && { user }) };
}
