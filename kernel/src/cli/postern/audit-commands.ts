import type { Command } from 'commander';
import { action } from '../action.js';
import { list, positiveNumber } from '../options.js';
import { adminCommand } from './admin-command.js';

const verifyHelp = `
Works without the cluster, from the files alone. With --since it also proves
that nothing was cut off or rewritten since a checkpoint that you kept:

  $ postern audit checkpoint --out=today.note
  $ postern audit verify --since=today.note
`;

const filtered = (command: Command): Command =>
  command
    .option('--type <type>', 'a type, or its beginning such as session.')
    .option('--user <name>')
    .option('--session <id>')
    .option('--resource <kind/name>')
    .option('--text <text>', 'found anywhere in the event');

/** Commands about the audit log. */
export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('The audit log: what happened, and the proof.');
  const load = () => import('./audit.js');
  filtered(adminCommand(audit, 'tail', 'Show the last events, and new ones as they come.'))
    .option('--last <number>', 'how many past events to begin with', Number, 10)
    .action(action(async () => (await load()).tail));
  filtered(adminCommand(audit, 'search', 'Search the log, newest first.'))
    .option('--from <time>', 'ISO 8601, such as 2026-01-31T08:00:00Z')
    .option('--to <time>')
    .option('--limit <number>', 'at most so many', positiveNumber, 100)
    .action(action(async () => (await load()).search));
  adminCommand(audit, 'checkpoint', 'Print the newest signed checkpoint: keep it elsewhere to detect a rollback.')
    .option('--out <file>', 'write it here')
    .action(action(async () => (await load()).checkpoint));
  audit
    .command('verify')
    .description('Prove that nothing in the log was changed, dropped or reordered.')
    .argument('[directory]', 'a log, or a copy of one')
    .option('--data <directory>', 'the data directory whose log it is')
    .option('--key <keys>', 'verifier keys, or files with one; those in the data directory by default', list)
    .option('--since <files>', 'checkpoints that were kept', list)
    .option('--format <format>', 'table, json or yaml', 'table')
    .addHelpText('after', verifyHelp)
    .action(action(async () => (await import('./verify.js')).verify));
}
