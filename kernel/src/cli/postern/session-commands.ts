import type { Command } from 'commander';
import { action } from '../action.js';
import { positiveNumber, span } from '../options.js';
import { adminCommand } from './admin-command.js';

/** Commands about what happens now: state, sessions, locks. */
export function addSessionCommands(program: Command): void {
  adminCommand(program, 'status', 'Show the health of the cluster.').action(
    action(async () => (await import('./status.js')).status),
  );
  const sessions = program.command('sessions').description('Live sessions.');
  adminCommand(sessions, 'ls', 'List the live sessions.').action(
    action(async () => (await import('../sessions/list.js')).allSessions),
  );
  adminCommand(sessions, 'end', 'End a live session.')
    .argument('<id>')
    .option('--message <text>', 'what the user is told')
    .action(action(async () => (await import('../sessions/end.js')).end));
  const recordings = program.command('recordings').description('Recordings of sessions.');
  adminCommand(recordings, 'ls', 'List recordings, newest first.')
    .option('--user <name>', 'of this user’s sessions')
    .option('--limit <number>', 'at most so many', positiveNumber, 100)
    .action(action(async () => (await import('../recordings/list.js')).allRecordings));
  addLockCommands(program);
}

const lockHelp = `
Examples:
  $ postern lock add --user=mallory --message="call security"
  $ postern lock add --role=contractor --ttl=8h
  $ postern lock add --resource=<kind>/<name> --message="it is moved, until noon"
  $ postern lock add --mfa-device=alice/phone --message="your phone was reported stolen"
`;

function addLockCommands(program: Command): void {
  const locks = program.command('lock').description('Locks cut sessions at once and refuse new ones.');
  const load = () => import('./locks.js');
  adminCommand(
    locks,
    'add',
    'Lock out a user, everybody with a role, one certificate, what was opened with one second factor, or a resource.',
  )
    .option('--user <name>')
    .option('--role <name>')
    .option('--serial <number>', 'of a certificate')
    .option('--mfa-device <user/device>', 'a second factor, as the event of its addition names it')
    .option('--resource <kind/name>', 'nobody reaches it')
    .option('--message <text>', 'what the locked-out are told')
    .option('--ttl <time>', 'how long, such as 30m or 8h; for good without it', span)
    .addHelpText('after', lockHelp)
    .action(action(async () => (await load()).add));
  adminCommand(locks, 'ls', 'List the locks in force.').action(action(async () => (await load()).listAll));
  adminCommand(locks, 'rm', 'Remove a lock.')
    .argument('<id>')
    .action(action(async () => (await load()).remove));
}
