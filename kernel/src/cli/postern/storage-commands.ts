import type { Command } from 'commander';
import { action } from '../action.js';

const help = `
A backup is one file with everything that the storage holds as of one moment,
and can be made while the cluster runs. Secrets in it stay encrypted: keep the
wrapping key (keys/wrapping.key of the data directory) somewhere else, since a
backup without it opens nothing.

  $ postern storage backup monday.backup
  $ postern storage restore monday.backup --config=new.yaml
  $ postern storage migrate --from=old.yaml --to=new.yaml
`;

/** Commands about where the state is kept. They reach it themselves, and not through a process that runs. */
export function addStorageCommands(program: Command): void {
  const storage = program
    .command('storage')
    .description('Where the state is kept: backups, and the way to another storage.')
    .addHelpText('after', help);
  const load = () => import('./storage.js');
  const configured = (command: Command): Command =>
    command.option('-c, --config <file>', 'whose storage it is; postern.yaml here, or what holds without one');
  configured(storage.command('backup').description('Write everything as of one moment to a file.'))
    .argument('<file>', 'appears when it is complete; nothing is replaced')
    .action(action(async () => (await load()).backup));
  configured(storage.command('restore').description('Fill an empty storage from a backup.'))
    .argument('<file>', 'a backup')
    .action(action(async () => (await load()).restore));
  storage
    .command('migrate')
    .description('Copy everything to an empty storage, while nothing runs.')
    .requiredOption('--from <file>', 'the configuration with the storage that is left')
    .requiredOption('--to <file>', 'the configuration with the storage that is filled')
    .action(action(async () => (await load()).migrate));
}
