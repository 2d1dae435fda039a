import { randomUUID } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { assertionLifetime, clockSkewMs, validityPeriod } from './lifetime.js';
import type { SigningKey } from './signing-key.js';

/** A statement about a user, for one application. */
export interface AssertionRequest {
  readonly subject: string;
  readonly audience: string;
  readonly lifetimeMs?: number;
  /** Further claims. The registered names (RFC 7519 section 4.1) are not among them. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface AssertionSigner {
  /** The key's id, as the published key set shows it. */
  readonly id: string;
  readonly key: SigningKey;
  /** The cluster's URL. */
  readonly issuer: string;
}

const registered = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'];
const maximumLength = 8192;

/** A JSON Web Token in compact form, signed with ES256 (RFC 7515 section 3.1, RFC 7518 section 3.4). */
export async function signAssertion(request: AssertionRequest, signer: AssertionSigner, now: Date): Promise<string> {
  const taken = Object.keys(request.claims ?? {}).find((name) => registered.includes(name));
  if (taken !== undefined) throw new PosternError('invalid_argument', `claim ${taken} is set by the issuer`);
  const { notAfter } = validityPeriod(assertionLifetime, request.lifetimeMs, now);
  const issued = seconds(now);
  const body = {
    ...request.claims,
    iss: signer.issuer,
    sub: request.subject,
    aud: request.audience,
    iat: issued,
    nbf: issued - clockSkewMs / 1000,
    exp: seconds(notAfter),
    jti: randomUUID(),
  };
  const input = [{ alg: 'ES256', typ: 'JWT', kid: signer.id }, body].map(encode).join('.');
  if (input.length > maximumLength)
    throw new PosternError('invalid_argument', 'the assertion is too long for a header');
  const signature = await signer.key.sign(Buffer.from(input));
  return `${input}.${signature.toString('base64url')}`;
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);
