import { execFile } from 'node:child_process';
import { PosternError, token } from '@postern/plugin-sdk';
import { accountName } from './protocol.js';

/** One account of this machine. */
export interface Login {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** Finds accounts by name. */
export interface Logins {
  /** Rejects with `not_found` for an unknown name, and with `locked` or `expired` for an account that may not log in. */
  find(name: string): Promise<Login>;
}
export const Logins = token<Logins>('ssh.Logins');

const cachedMs = 10_000;
const cachedNames = 1000;
const lookupMs = 5_000;
const dayMs = 86_400_000;

/**
 * Asks the machine's own directory by `getent`, which follows LDAP, sssd and
 * whatever else is configured. Answers are kept for some seconds, so that a
 * burst of connections costs one process.
 */
export class SystemLogins implements Logins {
  readonly #known = new Map<string, { readonly at: number; readonly login: Promise<Login> }>();

  find(name: string): Promise<Login> {
    const now = performance.now();
    const known = this.#known.get(name);
    if (known && now - known.at < cachedMs) return known.login;
    const login = lookUp(name);
    this.#remember(name, { at: now, login });
    // A refusal is not kept: the account may be created or unlocked at any moment.
    login.catch(() => this.#known.delete(name));
    return login;
  }

  #remember(name: string, entry: { readonly at: number; readonly login: Promise<Login> }): void {
    this.#known.delete(name);
    this.#known.set(name, entry);
    const [oldest] = this.#known.keys();
    if (this.#known.size > cachedNames && oldest !== undefined) this.#known.delete(oldest);
  }
}

async function lookUp(name: string): Promise<Login> {
  if (!accountName.test(name)) throw unknown(name);
  const line = await getent('passwd', name);
  if (line === undefined) throw unknown(name);
  const login = parsePasswd(line);
  // The role allowed this name and no other spelling of some account.
  if (login?.name !== name) throw unknown(name);
  // Only root may read this; an agent of any other user cannot change its user anyway.
  const shadow = process.getuid?.() === 0 ? await getent('shadow', name) : undefined;
  if (shadow !== undefined) checkShadow(shadow, new Date());
  return login;
}

/** `name:password:uid:gid:comment:home:shell` */
export function parsePasswd(line: string): Login | undefined {
  const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.split(':');
  if (name === '' || !/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
}

/**
 * `name:password:changed:min:max:warn:inactive:expires:`, days since 1970.
 * Throws for an account that an administrator locked or that has expired. A
 * password field of `!` or `*` alone is an account that never had a password:
 * the usual case where certificates are used.
 */
export function checkShadow(line: string, now: Date): void {
  const [name = '', password = '', , , , , , expires = ''] = line.split(':');
  if (/^!+[^!*]/.test(password)) throw PosternError.public('locked', `the login ${name} is locked on this node`);
  if (/^\d+$/.test(expires) && Number(expires) * dayMs <= now.getTime())
    throw PosternError.public('expired', `the login ${name} has expired on this node`);
}

const unknown = (name: string): PosternError =>
  PosternError.public('not_found', `there is no login ${JSON.stringify(name.slice(0, 64))} on this node`);

/** One line of a database, or nothing where it has no such key. */
function getent(database: string, key: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile('getent', [database, key], { timeout: lookupMs, maxBuffer: 65_536, env: {} }, (cause, output) => {
      if (!cause) return resolve(output.split('\n')[0]);
      // 2: not found (getent(1)).
      if (cause.code === 2) return resolve(undefined);
      reject(new PosternError('unavailable', `getent ${database} failed`, { cause }));
    });
  });
}
