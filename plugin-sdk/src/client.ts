import type { AnyProtocol } from './protocol.js';
import type { Resource } from './session.js';

/**
 * The user's half. Pure: it describes files to write and commands to run; the
 * kernel's `login`, `connect` and `proxy` commands write and run them.
 */
export interface ClientModule<P extends AnyProtocol> {
  /** What login writes for every resource of this kind that the user may see. */
  configure(profile: ClientProfile, targets: readonly ClientTarget<P>[]): ClientSetup;
  /** How to start the native client against one target. */
  connect?(profile: ClientProfile, target: ClientTarget<P>, options: ConnectOptions): Invocation;
  /** The implementations of {@link Plugin.commands}, by name. */
  readonly commands?: Readonly<
    Record<string, (profile: ClientProfile, args: readonly string[]) => Invocation | Printed | Promise<Printed>>
  >;
  /** The environment variables by which native clients find one target, for `env`. */
  env?(profile: ClientProfile, target: ClientTarget<P>, options: ConnectOptions): Readonly<Record<string, string>>;
}

/** A logged-in user's profile directory. All paths are absolute. */
export interface ClientProfile {
  readonly cluster: string;
  readonly user: string;
  readonly home: string;
  readonly directory: string;
  /** The public port. */
  readonly proxy: { readonly host: string; readonly port: number };
  /** The user's program with its leading arguments, for configuration files that must run it. */
  readonly program: readonly string[];
  readonly files: {
    /** TLS: PEM chain, PKCS#8 private key, and the host CA bundle. */
    readonly certificate: string;
    readonly key: string;
    readonly authority: string;
    /** The chain and the key in one PEM, for clients that take no two files. */
    readonly identity: string;
    /** OpenSSH: private key (its certificate lies beside it as `-cert.pub`) and the known_hosts file. */
    readonly sshKey: string;
    readonly sshCertificate: string;
    readonly knownHosts: string;
  };
  /** True where the name resolves to an address on this machine's resolver. */
  resolves(name: string): boolean;
}

export interface ClientTarget<P extends AnyProtocol> {
  readonly resource: Resource<P>;
  /** The DNS name that routes to it: `<resource>.<kind>.<cluster>`. */
  readonly hostname: string;
  /** Whom the user may become there. */
  readonly principals: readonly string[];
  /** The unix socket at which `proxy` serves this target unless told otherwise; for `forward: 'socket'` alone. */
  readonly socket?: string;
}

export interface ConnectOptions {
  /** `--user`: whom to become; the only principal, or an error, when absent. */
  readonly user?: string;
  /** `--database`, and what else the command took as `--name=value`. */
  readonly options: Readonly<Record<string, string>>;
  /** Arguments for the native client, after `--`. */
  readonly args: readonly string[];
  /** Where the user's program forwards to the target, for a transport that declares `forward`. */
  readonly local?: LocalAddress;
}

/** A way to one target that only this user can take. */
export type LocalAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'port'; readonly host: string; readonly port: number };

/** What a command answers that runs no program. Never a secret but on the way to the program that asked for it. */
export interface Printed {
  readonly print: string;
}

/** What login leaves behind for the native tools. */
export interface ClientSetup {
  /** Files below the profile directory, written atomically with mode 0600, removed at logout. */
  readonly files?: Readonly<Record<string, string>>;
  /** Additions to the tools' own files below the home directory. */
  readonly additions?: readonly Addition[];
}

/**
 * One marked block in a file that belongs to the user. The kernel writes it
 * atomically between two comment lines, replaces it at the next login, removes
 * it at logout, and touches no other line.
 */
export interface Addition {
  /** Relative to the home directory, for example `.netrc`. */
  readonly file: string;
  /** What begins a comment in this file. */
  readonly comment: string;
  /** Where a new block goes: some formats give the first match precedence, others the last. */
  readonly place: 'top' | 'bottom';
  /** What stands in the block behind the sections. */
  readonly text: string;
  /** Patterns of the user's own lines that this block must not shadow; the matching part is left out with a warning. */
  readonly sections?: readonly { readonly pattern: RegExp; readonly text: string; readonly name: string }[];
}

/** A program to run in the foreground. Never a secret in `args`, since other users can read them. */
export interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that a plugin adds to the user's program. */
export interface CommandSummary {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
}
