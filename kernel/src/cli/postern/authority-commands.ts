import type { Command } from 'commander';
import { action } from '../action.js';
import { adminCommand } from './admin-command.js';

const exportHelp = `
Kinds: user, host, db, db_client (clients of databases), openssh (users towards OpenSSH's own server).

Examples:
  $ postern ca export db_client > clients.crt      what a database server should trust
`;

/** Commands about the certificate authorities. */
export function addAuthorityCommands(program: Command): void {
  const ca = program.command('ca').description('Certificate authorities.');
  const load = () => import('./authorities.js');
  adminCommand(ca, 'export', 'Print the public half of an authority, for servers that should trust it.')
    .argument('<kind>')
    .addHelpText('after', exportHelp)
    .action(action(async () => (await load()).exportAuthority));
  adminCommand(ca, 'server', 'Make key and certificate of a database server, for names inside the cluster.')
    .argument('<name...>')
    .option('--out <directory>', 'where the files go', '.')
    .action(action(async () => (await load()).certifyServer));
}
