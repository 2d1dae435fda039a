import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { Collection, type Store } from '../../storage/index.js';
import { nameOfSecret, newSecret, sha256 } from './secret.js';
import type { ResourceName } from './web-sessions.js';

const app = { kind: z.string(), name: z.string(), session: z.string() };
const codeRecord = z.strictObject({ ...app, nonce: z.string(), expires: z.iso.datetime() });
const cookieRecord = z.strictObject(app);

/** How long a code is good for. */
const codeMs = 60_000;

/** The codes and the cookies by which a browser's session goes on at the host of an application. */
export class AppTable {
  readonly #codes: Collection<z.output<typeof codeRecord>>;
  readonly #cookies: Collection<z.output<typeof cookieRecord>>;

  constructor(
    store: Store,
    private readonly now: () => Date,
  ) {
    this.#codes = new Collection(store, 'web-codes', codeRecord);
    this.#cookies = new Collection(store, 'web-apps', cookieRecord);
  }

  /** A code for the session that is kept under `session`. */
  async createCode(session: string, { kind, name }: ResourceName, nonce: string): Promise<string> {
    const code = newSecret('code');
    const expires = new Date(this.now().getTime() + codeMs);
    const record = { session, kind, name, nonce: sha256(nonce), expires: expires.toISOString() };
    await this.#codes.create(nameOfSecret('code', code) ?? '', record, { expires });
    return code;
  }

  /** Uses a code up, whether or not it fits: of two calls at once one gets it. Resolves with the key of its session. */
  async takeCode(code: string, app: ResourceName, nonce: string): Promise<string | undefined> {
    const key = nameOfSecret('code', code);
    const found = key === undefined ? undefined : await this.#codes.get(key);
    if (!found || key === undefined) return undefined;
    try {
      await this.#codes.delete(key, { revision: found.revision });
    } catch (cause) {
      if (PosternError.is(cause) && cause.code === 'conflict') return undefined;
      throw cause;
    }
    const { value } = found;
    const fits = isApp(value, app) && value.nonce === sha256(nonce) && new Date(value.expires) > this.now();
    return fits ? value.session : undefined;
  }

  /** The value of a cookie that is good for one application, as long as the session lives. */
  async createCookie(session: string, { kind, name }: ResourceName, expires: Date): Promise<string> {
    const cookie = newSecret('app');
    await this.#cookies.create(nameOfSecret('app', cookie) ?? '', { session, kind, name }, { expires });
    return cookie;
  }

  /** The key of the session that an application's cookie belongs to. */
  async sessionOf(cookie: string, app: ResourceName): Promise<string | undefined> {
    const key = nameOfSecret('app', cookie);
    const found = key === undefined ? undefined : await this.#cookies.get(key);
    return found && isApp(found.value, app) ? found.value.session : undefined;
  }
}

const isApp = (one: ResourceName, other: ResourceName): boolean => one.kind === other.kind && one.name === other.name;
