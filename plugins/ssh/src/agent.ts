import type { AgentModule, Scope } from '@postern/plugin-sdk';
import { Logins, SystemLogins } from './login.js';
import { SshProbe } from './probe.js';
import type { Ssh } from './protocol.js';
import { selfTest } from './self-test.js';
import { SshSession } from './session.js';
import { LocalMachine, Machine } from './upstream.js';

export { SshSession as Session, SshProbe as Probe };

export function bind(scope: Scope): void {
  scope.singleton(Logins, SystemLogins).singleton(Machine, LocalMachine);
}

/** Refuses to serve with a library that behaves differently from the one that was tested. */
export const check: NonNullable<AgentModule<Ssh>['check']> = async (config, log) => {
  await selfTest();
  const machine = new LocalMachine();
  if (!(await machine.hasTerminals())) log.warn('no terminals: @lydell/node-pty is not installed or does not fit');
  if (machine.sftpServer(config.sftp_server) === undefined) log.warn('no file transfer: sftp-server was not found');
  if (process.getuid?.() !== 0) log.info('not running as root: only the login of the agent itself can be used');
};
