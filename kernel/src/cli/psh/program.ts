import { Command } from 'commander';
import { actionWith } from '../action.js';
import { asProgram } from '../run-program.js';
import { addAccessCommands } from './access-commands.js';
import { addLoginCommands } from './login-commands.js';
import { addMfaCommands } from './mfa-commands.js';
import { addNativeCommands } from './native-commands.js';
import type { PshProduct } from './product.js';
import { addRecordingCommands } from './recording-commands.js';

const examples = `
Examples:
  $ psh login --proxy=access.example.com:3080 --user=alice
  $ psh ls                    what you may reach
  $ psh status                who you are, and until when

Connections made by stock tools go through the cluster once you are logged in.
`;

/** The command tree of the user's program. What a command does is loaded when it runs. */
export function pshProgram(product: PshProduct): Command {
  const program = asProgram(new Command('psh'))
    .description('Log in once, then use the tools you have.')
    .version(product.version, '-V, --version')
    .option('--home <directory>', 'where logins are kept, instead of POSTERN_HOME or ~/.psh')
    .helpCommand(false)
    .addHelpText('after', examples)
    .hook('preAction', (root) => {
      const { home } = root.opts<{ home?: string }>();
      if (home !== undefined) process.env['POSTERN_HOME'] = home;
    });
  addLoginCommands(program, product);
  addMfaCommands(program);
  addAccessCommands(program, product);
  addNativeCommands(program, product);
  addRecordingCommands(program, product);
  program
    .command('completion')
    .description('Print a script that completes this program’s commands.')
    .argument('<shell>', 'bash, zsh or fish')
    .action(actionWith(program, async () => (await import('../completion/completion.js')).printCompletion));
  return program;
}
