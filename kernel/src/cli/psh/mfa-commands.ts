import type { Command } from 'commander';
import { action } from '../action.js';
import { withCluster, withFormat } from '../options.js';

const help = `
Examples:
  $ psh mfa add               the first device, or another
  $ psh mfa add phone         one with a name of your choice
  $ psh mfa rm phone          with a code of this device or of another

Your password is asked again, and a code of a device that you have. Each code
works once: after a login wait for the next one.

From a pipe, the answers are read line by line in the order in which they are
asked: password, code where you have a device, then the code of the new one.
`;

/** Commands about the devices that show a user's codes. */
export function addMfaCommands(program: Command): void {
  const mfa = program
    .command('mfa')
    .description('Manage your second factors: applications that show codes.')
    .addHelpText('after', help);
  withCluster(mfa.command('add'))
    .description('Add a device: an authenticator application on a phone, for example.')
    .argument('[device]', 'what you call it', 'authenticator')
    .action(action(async () => (await import('./mfa.js')).addMfa));
  withFormat(withCluster(mfa.command('ls')))
    .description('List your devices.')
    .action(action(async () => (await import('./mfa.js')).listMfa));
  withCluster(mfa.command('rm'))
    .description('Remove a device. Certificates that were issued before stop working.')
    .argument('<device>', 'what psh mfa ls calls it')
    .action(action(async () => (await import('./mfa.js')).removeMfa));
}
