import { defineProtocol, event, field, type Endpoint } from '@postern/plugin-sdk';
import { z } from 'zod';

/**
 * What unix accounts are called, those of Windows domains (`DOMAIN\\name`,
 * `name@domain`, `machine$`) among them. No name is one that a program could
 * take for an option, a path, a number or several words.
 */
export const accountName = /^[A-Za-z_][A-Za-z0-9_.@\\+-]{0,127}\$?$/;

/** What a user can do on a node after the login. */
const actions = ['shell', 'exec', 'pty', 'sftp', 'forward', 'reverse_forward', 'agent_forward', 'x11'] as const;
export type SshAction = (typeof actions)[number];

const loginName = z.string().regex(accountName, 'no unix account is called so').describe('A unix login of the node.');

/** What a role says: names of accounts with `*` for any characters, and templates, which stand for traits of a user. */
const loginPattern = z
  .string()
  .max(300)
  .regex(/^(?!-)(\{\{[^{}]+\}\}|[A-Za-z0-9_.@\\+$*-])+$/, 'write the name of a unix account, `*` for any characters')
  .describe('A unix login, with `*` for any characters.');

const hostPort = z
  .string()
  .max(300)
  .regex(/^\S+:(\*|\d{1,5}(-\d{1,5})?)$/, 'write host:port, host:from-to or host:*')
  .describe('`host:port`, where `*` in the host stands for any characters and the port is a number, a range or `*`.');

const onOff = (text: string) => z.boolean().optional().describe(text);
const destinations = (text: string) =>
  z
    .union([z.boolean(), z.array(hostPort)])
    .optional()
    .describe(text);

const permit = z
  .strictObject({
    shell: onOff('Interactive shells. On unless switched off.'),
    exec: onOff('Commands, `scp -O` and `rsync` included. On unless switched off.'),
    pty: onOff('Terminals for shells and commands. On unless switched off.'),
    sftp: onOff('File transfer by SFTP, which `scp` uses too. On unless switched off.'),
    forward: destinations(
      'Connections from the node (`-L`, `-D`, `-W`, `-J`): all, none, or a list. Off unless allowed.',
    ),
    reverse_forward: destinations(
      'Listening on the node for the client (`-R`); the host is `localhost` unless the client names another. Off unless allowed.',
    ),
    agent_forward: onOff("The client's ssh-agent on the node (`-A`). Off unless allowed."),
    x11: onOff("Graphical programs of the node on the client's screen (`-X`). Off unless allowed."),
  })
  .describe('What may be done once a login is allowed.');

const ask = z.strictObject({
  login: loginName,
  /** Absent for the opening ask: may this user become this login here at all? */
  action: z.enum(actions).optional(),
  host: z.string().max(255).optional(),
  port: z.int().min(0).max(65_535).optional(),
  command: z.string().max(65_536).optional(),
});

const access = z.strictObject({
  logins: z
    .array(loginPattern)
    .default([])
    .describe(
      'The unix logins that the role lets a user become, or denies; `*` stands for any characters, root included.',
    ),
  permit: permit.default({}),
});

export type SshAsk = z.output<typeof ask>;
export type SshAccess = z.output<typeof access>;

/** On once a login is allowed, unless a role switches them off. */
const onByDefault: ReadonlySet<SshAction> = new Set(['shell', 'exec', 'pty', 'sftp']);

function matchesPort(pattern: string, port: number): boolean {
  if (pattern === '*') return true;
  const [from = NaN, to = from] = pattern.split('-').map(Number);
  return from <= port && port <= to;
}

/** `*` stands for any characters. Linear: each part is looked for once, from where the one before it ended. */
function matchesText(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return text === first;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

function matchesHost(pattern: string, host: string): boolean {
  return matchesText(pattern.toLowerCase().replace(/^\[(.*)\]$/, '$1'), host.toLowerCase());
}

function matches(pattern: string, host: string, port: number): boolean {
  const colon = pattern.lastIndexOf(':');
  return matchesHost(pattern.slice(0, colon), host) && matchesPort(pattern.slice(colon + 1), port);
}

/** True where the setting is on, or lists the destination. */
function names(setting: boolean | readonly string[] | undefined, wanted: SshAsk): boolean {
  if (typeof setting === 'boolean' || setting === undefined) return setting === true;
  const { host, port } = wanted;
  return host !== undefined && port !== undefined && setting.some((pattern) => matches(pattern, host, port));
}

const namesLogin = (logins: readonly string[], login: string): boolean =>
  logins.some((pattern) => matchesText(pattern, login));

function permits(allowed: SshAccess, wanted: SshAsk): boolean {
  if (!namesLogin(allowed.logins, wanted.login)) return false;
  if (wanted.action === undefined) return true;
  const setting = allowed.permit[wanted.action];
  return setting === undefined ? onByDefault.has(wanted.action) : names(setting, wanted);
}

function forbids(denied: SshAccess, wanted: SshAsk): boolean {
  if (namesLogin(denied.logins, wanted.login)) return true;
  return wanted.action !== undefined && names(denied.permit[wanted.action], wanted);
}

function endpoints(_: unknown, { action, host, port }: SshAsk): readonly Endpoint[] {
  return action === 'forward' && host !== undefined && port !== undefined ? [{ host, port }] : [];
}

const channel = field.public(z.int().describe('The channel, so that what belongs together can be found.'));
const number = field.public(z.int().describe('Counts the forwarded connections of a session.'));

export const ssh = defineProtocol({
  id: 'ssh',
  title: 'SSH servers',
  posture: 'hostile-client',
  transport: { kind: 'native', credential: 'openssh' },
  config: z.strictObject({
    accept_env: z
      .array(z.string().regex(/^[A-Za-z_*][A-Za-z0-9_*]*$/))
      .default(['LANG', 'LC_*', 'COLORTERM', 'NO_COLOR'])
      .describe('Variables that clients may set; `*` stands for any characters.'),
    path: z
      .string()
      .default('/usr/local/bin:/usr/bin:/bin')
      .describe('PATH of programs; root gets the sbin folders too.'),
    sftp_server: z.string().optional().describe("OpenSSH's sftp-server, where it is not in one of the usual places."),
    login_grace_seconds: z.int().min(1).max(300).default(25).describe('How long a client may take to log in.'),
    keepalive_seconds: z
      .int()
      .min(5)
      .max(3600)
      .default(60)
      .describe('A client that is silent three times as long is gone.'),
    hang_up_seconds: z.int().min(0).max(60).default(5).describe('How long a program may survive its hang-up.'),
    linger: z
      .boolean()
      .default(false)
      .describe('Whether what a session’s programs leave running (daemons, tmux) outlives it.'),
    max_channels: z.int().min(1).max(1000).default(200).describe('Channels of one connection at once.'),
  }),
  auth: {
    resource: z.strictObject({
      mode: z.literal('node').default('node').describe('`node`: the agent itself is the SSH server of its machine.'),
    }),
    endpoints,
    ask,
    access,
    permits,
    forbids,
    preset: { logins: ['{{internal.logins}}'] },
    principals: (allowed) => allowed.logins,
  },
  audit: {
    shell: event('An interactive shell was started.', { channel, terminal: field.public(z.boolean()) }),
    exec: event('A command was started.', {
      channel,
      terminal: field.public(z.boolean()),
      command: field.sensitive(z.string()),
    }),
    exit: event('A shell, command or file transfer ended.', {
      channel,
      status: field.public(z.int().optional()),
      signal: field.public(z.string().optional()),
    }),
    sftp_start: event('A file transfer by SFTP was started.', { channel }),
    sftp: event('A file was opened, changed, moved or removed by SFTP.', {
      channel,
      operation: field.public(z.string()),
      path: field.sensitive(z.string()),
      path2: field.sensitive(z.string().optional()),
      flags: field.public(z.array(z.string()).optional()),
      read: field.public(z.int().optional()),
      written: field.public(z.int().optional()),
    }),
    env_refused: event('A client set a variable that this node does not accept.', {
      channel,
      name: field.public(z.string()),
    }),
    forward: event('The node connects to a destination for the client.', {
      number,
      host: field.public(z.string()),
      port: field.public(z.int()),
    }),
    forward_end: event('A forwarded connection ended, or could not be made.', {
      number,
      sent: field.public(z.int()),
      received: field.public(z.int()),
      error: field.public(z.string().optional()),
    }),
    reverse_forward: event('The node listens on a port for the client.', {
      host: field.public(z.string()),
      port: field.public(z.int()),
    }),
    reverse_connection: event('Somebody connected to a port on which the node listens for the client.', {
      port: field.public(z.int()),
      source: field.public(z.string()),
    }),
    agent_forward: event("The client's ssh-agent was made available on the node.", { channel }),
    x11_forward: event("The client's screen was made available on the node.", { channel }),
    left_running: event('What the session’s programs had left running was ended with it.', {
      processes: field.public(z.int().positive()),
    }),
    protocol_violation: event('A client that was logged in broke the protocol, and its connection was ended.', {
      what: field.public(z.string()),
    }),
    channel_refused: event('A channel or request was refused for a reason other than a role.', {
      type: field.public(z.string()),
      reason: field.public(z.string()),
    }),
  },
  recordings: { terminal: { title: 'Terminal session', format: 'terminal' } },
});

export type Ssh = typeof ssh;
