import type { CommandSummary } from '@postern/plugin-sdk';
import type { Command } from 'commander';
import { actionWith } from '../action.js';
import { withCluster, withFormat } from '../options.js';
import type { PshProduct } from './product.js';

/** The commands that plugins declare, and the groups that their kinds share. A plugin with a group has its commands there. */
export function addNativeCommands(program: Command, product: PshProduct): void {
  const nouns = new Set(product.plugins.flatMap((plugin) => plugin.noun ?? []));
  const groups = new Map([...nouns].map((noun) => [noun, addNoun(program, product, noun)]));
  for (const { id, noun, commands } of product.plugins)
    for (const command of commands) addDeclared(groups.get(noun ?? '') ?? program, product, { id, ...command });
}

function addDeclared(
  parent: Command,
  product: PshProduct,
  { id, name, usage, summary }: CommandSummary & { readonly id: string },
): void {
  parent
    .command(name)
    .usage(usage)
    .description(summary)
    .argument('[arguments...]')
    .helpOption('--help', 'what this does; everything else goes to the native program')
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: readonly string[]) =>
      (await import('./plugin-command.js')).pluginCommand(product, { id, name }, args),
    );
}

interface NounOptions {
  readonly user?: string;
  readonly database?: string;
  readonly cluster?: string;
}

function addNoun(program: Command, product: PshProduct, noun: string): Command {
  const kinds = product.plugins.filter((plugin) => plugin.noun === noun);
  const group = program.command(noun).description(`Work with ${kinds.map(({ title }) => title).join(', ')}.`);
  const nouns = () => import('./noun.js');
  const set = { noun, kinds: kinds.map(({ id }) => id) };
  withFormat(withCluster(group.command('ls')))
    .description('List those that you may reach.')
    .action(actionWith(set, async () => (await nouns()).nounList));
  const one = (name: string, description: string): Command =>
    withCluster(group.command(name))
      .description(description)
      .argument('<name>', 'the resource; kind/name where two kinds have one')
      .option('--user <user>', 'whom to become there')
      .option('--database <database>', 'which database');
  one('login', 'Write the configuration of your native tools for it, and show how to connect.').action(
    async (name: string, options: NounOptions) => (await nouns()).nounLogin({ product, set, name, options }),
  );
  one('connect', 'Start the native client.')
    .argument('[arguments...]', 'for the native client, after --')
    .action(async (name: string, args: readonly string[], options: NounOptions) =>
      (await nouns()).nounConnect({ product, set, name, options }, args),
    );
  one('env', 'Print the variables by which native clients find it: eval "$(psh … env NAME)".').action(
    async (name: string, options: NounOptions) => (await nouns()).nounEnv({ product, set, name, options }),
  );
  withCluster(group.command('logout'))
    .description('Take back what was written for your native tools.')
    .action(async (options: NounOptions) => (await nouns()).nounLogout(product, set, options));
  return group;
}
