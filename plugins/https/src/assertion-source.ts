import { PosternError, type Credentials } from '@postern/plugin-sdk';

/** How long before its end a token is replaced: an application's clock may be a little ahead. */
const marginMs = 60_000;

/** The signed statement about the user, fetched when it is first needed and again before it ends. */
export class AssertionSource {
  #token = '';
  #until = -Infinity;
  #fetching: Promise<string> | undefined;

  constructor(
    private readonly credentials: Pick<Credentials, 'assertion'>,
    private readonly audience: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** A token that is good for a while. Rejects where there is none to be had. */
  async current(): Promise<string> {
    if (this.now() < this.#until) return this.#token;
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #fetch(): Promise<string> {
    const token = await this.credentials.assertion(this.audience);
    if (!/^[\w.-]{1,16384}$/.test(token)) throw new PosternError('internal', 'an assertion is not a token');
    this.#token = token;
    this.#until = expiryOf(token) - marginMs;
    return token;
  }
}

/** The claim `exp` in milliseconds; the past for what has none, so that it is used once. */
function expiryOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const exp = (claims as { readonly exp?: unknown } | null)?.exp;
    return typeof exp === 'number' ? exp * 1000 : -Infinity;
  } catch {
    return -Infinity;
  }
}
