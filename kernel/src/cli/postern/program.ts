import { Command } from 'commander';
import { action, actionWith } from '../action.js';
import { asProgram } from '../run-program.js';
import { list } from '../options.js';
import { addAuditCommands } from './audit-commands.js';
import { addAuthorityCommands } from './authority-commands.js';
import { addDocumentCommands } from './document-commands.js';
import type { PosternProduct } from './product.js';
import { addSessionCommands } from './session-commands.js';
import { addStorageCommands } from './storage-commands.js';
import { addUserCommands } from './user-commands.js';

const examples = `
Examples:
  $ postern start                        a cluster on this machine, ready to try
  $ postern configure > postern.yaml     a configuration with every key explained
  $ postern users add alice --role=access --trait=logins=alice
  $ postern audit verify                 prove that the audit log is whole

The commands of administrators talk to the process on this machine through a
socket in its data directory; with --proxy they use your login of psh instead.
`;

/** The command tree of the administrators' program. What a command does is loaded when it runs. */
export function posternProgram(product: PosternProduct): Command {
  const program = asProgram(new Command('postern'))
    .description('Certificate authority and identity-aware access proxy.')
    .version(product.version, '-V, --version')
    .helpCommand(false)
    .addHelpText('after', examples);
  addProcessCommands(program, product);
  addUserCommands(program);
  addDocumentCommands(program);
  addSessionCommands(program);
  addAuthorityCommands(program);
  addAuditCommands(program);
  addStorageCommands(program);
  program
    .command('completion')
    .description('Print a script that completes this program’s commands.')
    .argument('<shell>', 'bash, zsh or fish')
    .action(actionWith(program, async () => (await import('../completion/completion.js')).printCompletion));
  return program;
}

function addProcessCommands(program: Command, product: PosternProduct): void {
  program
    .command('start')
    .description('Run what the configuration enables, until Ctrl-C.')
    .option('-c, --config <file>', 'postern.yaml of this directory by default, and a demo without one')
    .option('--data <directory>', 'where everything is kept')
    .option('--listen <host:port>', 'the public port')
    .option('--services <names>', 'auth, proxy and agent, separated by commas', list)
    .action(actionWith(product, async () => (await import('./start.js')).start));
  program
    .command('configure')
    .description('Print a configuration in which every key is explained.')
    .option('--cluster <name>', 'the cluster’s name, a DNS name')
    .option('--out <file>', 'write it here, if nothing is there yet')
    .action(action(async () => (await import('./configure.js')).configure));
  program
    .command('check')
    .description('Check a configuration without starting anything.')
    .argument('[file]', 'the file', 'postern.yaml')
    .action(actionWith(product, async () => (await import('./check.js')).check));
  program
    .command('plugin')
    .description('Protocols of this installation.')
    .command('ls')
    .description('List the protocols that a configuration enables.')
    .option('-c, --config <file>', 'postern.yaml of this directory by default')
    .option('--format <format>', 'table, json or yaml', 'table')
    .action(actionWith(product, async () => (await import('./plugins.js')).plugins));
}
