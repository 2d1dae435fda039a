import type { Command } from 'commander';
import { action } from '../action.js';
import { pair, withCluster, withFormat } from '../options.js';
import type { PshProduct } from './product.js';
import type { ProxyStdioOptions } from './proxy-stdio.js';
import type { ProxyTarget } from './proxy-target.js';

/** Commands about what the user may reach. */
export function addAccessCommands(program: Command, product: PshProduct): void {
  const kinds = `${product.plugins.map(({ id }) => id).join(', ')}, or another that psh ls shows`;
  withFormat(withCluster(program.command('ls')))
    .description('List what you may reach.')
    .argument('[kind]', `only this kind: ${kinds}`)
    .option('--label <name=value>', 'only what has this label; may be repeated', pair)
    .action(action(async () => (await import('./ls.js')).ls));
  withCluster(program.command('proxy'))
    .description('Open a way to one resource for a program that cannot find it by itself.')
    .argument('<kind>', kinds)
    .argument('<name>', 'the resource, or its full name')
    .option('--stdio', 'speak on standard input and output')
    .option('--hand-over', 'with --stdio: pass the connection itself to a program that waits for its descriptor')
    .option('--socket <path>', 'listen on a unix socket that only you can open')
    .option('--port <number>', 'listen on a loopback port; connections of other users are refused', Number)
    .action(async (kind: string, name: string, options: ProxyStdioOptions & { readonly stdio?: boolean }) => {
      const target = await targetOf(product, { kind, name }, options.cluster);
      if (options.stdio === true) return (await import('./proxy-stdio.js')).proxyStdio(target, options);
      // A port that leads nowhere would tell of a mistyped name only to whoever connects.
      await (await import('./find-resource.js')).assureReachable(kind, name, options.cluster);
      await (await import('./proxy-listen.js')).proxyListen(target, options);
    });
  withCluster(program.command('env'))
    .description('Print as variables what a client needs for one resource: eval "$(psh env KIND NAME)".')
    .argument('<kind>', kinds)
    .argument('<name>', 'the resource')
    .action(async (kind: string, name: string, options: { readonly cluster?: string }) =>
      (await import('./env.js')).env(product, kind, name, options),
    );
}

/** What is built in is known here already, so that native clients need not wait for an answer. */
async function targetOf(
  { plugins }: PshProduct,
  { kind, name }: Pick<ProxyTarget, 'kind' | 'name'>,
  cluster: string | undefined,
): Promise<ProxyTarget> {
  const known = plugins.find(({ id }) => id === kind)?.transport;
  const transport = known ?? (await (await import('./find-resource.js')).askTransport(kind, name, cluster));
  return { kind, name, transport };
}
