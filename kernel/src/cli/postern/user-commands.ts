import { InvalidArgumentError, type Command } from 'commander';
import { action } from '../action.js';
import { list } from '../options.js';
import { adminCommand } from './admin-command.js';

const addHelp = `
Examples:
  $ postern users add alice --role=access --trait=logins=alice,deploy
  $ postern users add bob --role=access,auditor --trait=db_users=app --trait=db_names=shop,stock

Traits fill the templates in roles, such as {{internal.logins}}.
`;

/** Commands about users. */
export function addUserCommands(program: Command): void {
  const users = program.command('users').description('Users of the cluster.');
  const load = () => import('./users.js');
  adminCommand(users, 'ls', 'List the users.').action(action(async () => (await load()).listAll));
  adminCommand(users, 'add', 'Make a user and a link with which the user chooses a password.')
    .argument('<name>')
    .requiredOption('--role <names>', 'roles, separated by commas', list)
    .option('--trait <name=values>', 'values separated by commas; may be repeated', trait)
    .addHelpText('after', addHelp)
    .action(action(async () => (await load()).add));
  adminCommand(users, 'update', 'Change roles, traits, or whether the user may log in.')
    .argument('<name>')
    .option('--role <names>', 'all roles from now on', list)
    .option('--trait <name=values>', 'all traits from now on', trait)
    .option('--disable', 'the user may not log in, and sessions end')
    .option('--enable', 'the user may log in again')
    .action(action(async () => (await load()).update));
  adminCommand(users, 'reset', 'Take away password and second factor, and make a link to start anew.')
    .argument('<name>')
    .action(action(async () => (await load()).reset));
  adminCommand(users, 'unlock', 'End a lockout after failed logins.')
    .argument('<name>')
    .action(action(async () => (await load()).unlock));
  adminCommand(users, 'rm', 'Delete a user. Sessions end, and certificates stop working.')
    .argument('<name>')
    .action(action(async () => (await load()).remove));
}

type Traits = Readonly<Record<string, readonly string[]>>;

function trait(text: string, before: Traits = {}): Traits {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('write name=value,value');
  const name = text.slice(0, at);
  return { ...before, [name]: list(text.slice(at + 1), before[name]) };
}
