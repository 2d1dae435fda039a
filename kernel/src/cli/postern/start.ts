import type { PosternError } from '@postern/plugin-sdk';
import { exitCodes } from '../exit-codes.js';
import { addressText } from '../profile/proxy-address.js';
import type { PosternProduct } from './product.js';
import { runCluster, type StartedCluster, type StartOptions } from './run-cluster.js';

/** `postern start`: runs until it is told to stop. */
export async function start(product: PosternProduct, options: StartOptions): Promise<void> {
  const started = await runCluster(product, options);
  process.stdout.write(welcome(started));
  const outcome = await Promise.race([stopped(), started.cluster.failed]);
  if (outcome !== 'stopped') started.logger.error('the process ends', { cause: outcome.message });
  else process.stdout.write('\nstopping; sessions are ended, and everything is written down\n');
  await started.cluster[Symbol.asyncDispose]();
  if (outcome !== 'stopped') process.exitCode = 1;
}

/** Resolves at the first SIGINT or SIGTERM; a second one, whichever it is, ends the process at once. */
function stopped(): Promise<'stopped' | PosternError> {
  return new Promise((resolve) => {
    let told = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (told) process.exit(exitCodes.interrupted);
        told = true;
        resolve('stopped');
      });
  });
}

function welcome(started: StartedCluster): string {
  const { cluster, loaded, demo } = started;
  const { configuration } = loaded;
  const address = cluster.port?.address;
  const lines = [
    '',
    `  Postern runs: cluster ${configuration.cluster}, data in ${configuration.data}`,
    ...(address ? [`  public port   ${addressText({ host: address.address, port: address.port })}`] : []),
    ...(cluster.agent ? [`  agent         ${cluster.state.agent}, serving ${cluster.agent.serving} resources`] : []),
    '',
    ...(demo
      ? [`  The user ${demo.user} was made, with a password that works once:`, '', `      ${demo.password}`, '']
      : []),
    ...(cluster.port ? ['  Log in from another terminal:', '', `      ${loginCommand(started)}`, ''] : []),
    ...(demo ? [] : ['  Make users with: postern users add <user> --role=access', '']),
    ...(demo ? ['  then try:', '', ...table(demo.tries), ''] : []),
    '  Stop with Ctrl-C.',
    '',
  ];
  return lines.join('\n') + '\n';
}

function loginCommand({ cluster, loaded, demo }: StartedCluster): string {
  const { public_address: told, listen } = loaded.configuration.proxy;
  const port = told?.port ?? cluster.port?.address.port ?? listen.port;
  const address = addressText({ host: told?.host ?? reachable(listen.host), port });
  return `psh login --proxy=${address} --ca-pin=${cluster.pin} --user=${demo?.user ?? '<user>'}`;
}

/** Nobody connects to the address that means every address. */
const reachable = (host: string): string => (['0.0.0.0', '::', '127.0.0.1', '::1'].includes(host) ? 'localhost' : host);

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([command]) => command.length));
  return rows.map(([command, what]) => `      ${command.padEnd(width)}   # ${what}`);
}
