import type { Login } from './login.js';

const maximumVariables = 64;
const maximumBytes = 32_768;

/** Names that a client may not set whatever the configuration accepts: they load code into programs. */
const never = /^(LD_|DYLD_|BASH_|ENV$|SHELLOPTS$|BASHOPTS$|PS4$|IFS$|PATH$|HOME$|USER$|LOGNAME$|SHELL$|SSH_|POSTERN_)/;

/** What a program is told about the session in which it runs. */
export interface SessionFacts {
  readonly id: string;
  readonly user: string;
  /** The client's address. */
  readonly source: string;
  readonly path: string;
}

/** The variables of one channel: never the agent's own, and from the client only what the node accepts. */
export class ClientEnvironment {
  readonly #accepted: readonly RegExp[];
  readonly #variables = new Map<string, string>();
  #bytes = 0;

  /** `patterns` are names in which `*` stands for any characters. */
  constructor(patterns: readonly string[]) {
    this.#accepted = patterns.map((pattern) => new RegExp(`^${pattern.split('*').map(literal).join('.*')}$`));
  }

  /** False where the variable is not accepted. */
  set(name: string, value: string): boolean {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) || value.includes('\0')) return false;
    if (never.test(name) || !this.#accepted.some((pattern) => pattern.test(name))) return false;
    this.#bytes += name.length + value.length;
    if (this.#bytes > maximumBytes || this.#variables.size >= maximumVariables) return false;
    this.#variables.set(name, value);
    return true;
  }

  /** The whole environment of a program. `SSH_CONNECTION` has no ports: there is no socket of the client here. */
  of(login: Login, facts: SessionFacts, more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      ...Object.fromEntries(this.#variables),
      HOME: login.home,
      USER: login.name,
      LOGNAME: login.name,
      SHELL: login.shell,
      PATH: login.uid === 0 ? `/usr/local/sbin:/usr/sbin:/sbin:${facts.path}` : facts.path,
      SSH_CLIENT: `${facts.source} 0 0`,
      SSH_CONNECTION: `${facts.source} 0 127.0.0.1 0`,
      POSTERN_SESSION: facts.id,
      POSTERN_USER: facts.user,
      ...more,
    };
  }
}

const literal = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
