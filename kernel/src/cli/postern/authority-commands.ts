import type { Command } from 'commander';
import { action } from '../action.js';
import { span } from '../options.js';
import { adminCommand } from './admin-command.js';

const rotateHelp = `
A rotation goes through phases, and the cluster works in each of them:
  init             the new key is there and trusted; nothing is signed by it
  update_clients   users, agents as clients of databases, and assertions are certified by the new key
  update_servers   services and resources are certified by the new key as well
  standby          the old key is forgotten: what it signed is not believed any more
With --grace each phase lasts that long, and the next begins by itself once nothing stands in its way.

Examples:
  $ postern ca rotate host --grace 30h     all of it by itself, in about four days
  $ postern ca rotate db_client            by hand; then install the new key: postern ca export db_client
  $ postern ca status
  $ postern ca advance db_client --force   the database servers have it
`;

const exportHelp = `
Kinds: user, host, db, db_client (clients of databases), openssh (users towards OpenSSH's own server).

Examples:
  $ postern ca export db_client > clients.crt      what a database server should trust
`;

/** Commands about the certificate authorities. */
export function addAuthorityCommands(program: Command): void {
  const ca = program.command('ca').description('Certificate authorities.');
  const load = () => import('./authorities.js');
  const rotations = () => import('./rotations.js');
  adminCommand(ca, 'export', 'Print the public half of an authority, for servers that should trust it.')
    .argument('<kind>')
    .addHelpText('after', exportHelp)
    .action(action(async () => (await load()).exportAuthority));
  adminCommand(ca, 'status', 'Show the keys of the authorities, and how far their rotations are.').action(
    action(async () => (await rotations()).showStatus),
  );
  adminCommand(ca, 'rotate', 'Start the rotation of an authority to a new key.')
    .argument('<kind>')
    .option('--grace <duration>', 'how long each phase lasts, after which the next begins by itself', span)
    .addHelpText('after', rotateHelp)
    .action(action(async () => (await rotations()).start));
  adminCommand(ca, 'advance', 'Take the rotation of an authority to its next phase.')
    .argument('<kind>')
    .option('--force', 'in spite of what stands in the way: see postern ca status')
    .action(action(async () => (await rotations()).advance));
  adminCommand(ca, 'rollback', 'Take the rotation of an authority back: the old key signs again.')
    .argument('<kind>')
    .action(action(async () => (await rotations()).rollBack));
  adminCommand(ca, 'server', 'Make key and certificate of a database server, for names inside the cluster.')
    .argument('<name...>')
    .option('--out <directory>', 'where the files go', '.')
    .action(action(async () => (await load()).certifyServer));
}
