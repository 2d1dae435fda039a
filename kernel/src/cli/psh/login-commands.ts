import type { Command } from 'commander';
import { action, actionWith } from '../action.js';
import { span, withCluster, withFormat } from '../options.js';
import type { PshProduct } from './product.js';

const loginHelp = `
Examples:
  $ psh login --proxy=access.example.com --user=alice
  $ psh login --proxy=10.0.0.5:3080 --ca-pin=sha256:4f… --user=alice
  $ psh login                 again, where you were logged in last

From a pipe, the answers are read line by line in the order in which they are
asked: password, then code or new password twice where they are needed.
`;

/** Commands about who the user is. */
export function addLoginCommands(program: Command, product: PshProduct): void {
  program
    .command('login')
    .description('Prove who you are and get certificates for a working day.')
    .option('--proxy <host:port>', 'the cluster’s public address')
    .option('--ca-pin <pin>', 'sha256:… of the cluster’s authority, where its web certificate is not publicly trusted')
    .option('--user <name>', 'your name in the cluster')
    .option('--ttl <time>', 'a shorter life than your roles allow, such as 1h', span)
    .addHelpText('after', loginHelp)
    .action(actionWith(product, async () => (await import('./login.js')).login));
  program
    .command('accept')
    .description('Accept an invitation: choose a password and, if you like, a second factor.')
    .argument('<link>', 'the link that you were sent')
    .option('--ca-pin <pin>', 'sha256:… of the cluster’s authority')
    .action(action(async () => (await import('./accept.js')).accept));
  withFormat(withCluster(program.command('status')))
    .description('Show who you are, until when, and in which clusters.')
    .action(action(async () => (await import('./status.js')).status));
  withCluster(program.command('logout'))
    .description('Forget the certificates and take back what login wrote for other tools.')
    .option('--all', 'in every cluster')
    .action(action(async () => (await import('./logout.js')).logout));
  withCluster(program.command('config'))
    .description('Write the configuration of your native tools again.')
    .action(actionWith(product, async () => (await import('./config.js')).config));
}
