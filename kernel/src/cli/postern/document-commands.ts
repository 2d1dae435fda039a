import type { Command } from 'commander';
import { action, actionWith } from '../action.js';
import { list } from '../options.js';
import { adminCommand } from './admin-command.js';

const createHelp = `
Example:
  $ postern create -f - <<'END'
  kind: role
  name: staging
  allow:
    - labels: { env: staging }
  END
`;

/** Commands about roles and resources: the documents that people write. */
export function addDocumentCommands(program: Command): void {
  const load = () => import('./documents.js');
  adminCommand(program, 'get', 'Show a document, or all of one kind, as YAML.')
    .argument('<kind>', 'role, resource, or a protocol; also kind/name')
    .argument('[name]')
    .action(action(async () => (await load()).get));
  adminCommand(program, 'create', 'Create or replace what files describe, one YAML document each.')
    .requiredOption('-f, --file <files>', 'files, separated by commas; - is standard input', list)
    .addHelpText('after', createHelp)
    .action(action(async () => (await load()).create));
  adminCommand(program, 'edit', 'Edit a document with $EDITOR.')
    .argument('<kind>', 'also kind/name')
    .argument('[name]')
    .action(action(async () => (await import('./edit.js')).edit));
  adminCommand(program, 'rm', 'Delete a document.')
    .argument('<kind>', 'also kind/name')
    .argument('[name]')
    .action(action(async () => (await load()).remove));
  const roles = program.command('roles').description('Roles: what users may do.');
  adminCommand(roles, 'ls', 'List the roles.').action(action(async () => (await load()).listRoles));
  adminCommand(roles, 'get', 'Show a role as YAML.')
    .argument('<name>')
    .action(actionWith('role', async () => (await load()).get));
  adminCommand(roles, 'rm', 'Delete a role. It grants nothing from then on.')
    .argument('<name>')
    .action(actionWith('role', async () => (await load()).remove));
  const rbac = program.command('rbac').description('Decisions.');
  adminCommand(rbac, 'explain', 'Say whether a user may do something, and which role decides.')
    .argument('<user>')
    .argument('<resource>', 'kind/name')
    .argument('[ask...]', 'what is asked, as key=value')
    .action(action(async () => (await import('./explain.js')).explain));
}
