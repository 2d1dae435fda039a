import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError, type AnyProtocol, type ConnectOptions, type Plugin } from '@postern/plugin-sdk';
import { listResources } from '../../api/contract/documents.js';
import type { Format } from '../output/formats.js';
import { clientProfile } from '../profile/client-profile.js';
import type { Profile } from '../profile/profile.js';
import { runNative } from '../run-native.js';
import { configure, targetOf, type Reachable } from './configure.js';
import { openForward } from './forward.js';
import type { LocalListener } from './local-listener.js';
import { showResources } from './ls.js';
import type { PshProduct } from './product.js';
import { exportLines } from './shell-quoted.js';
import { withClient } from './with-client.js';

/** The kinds that share a group of commands. */
export interface NounSet {
  readonly noun: string;
  readonly kinds: readonly string[];
}

export interface NounCall {
  readonly product: PshProduct;
  readonly set: NounSet;
  /** A resource's name, or `kind/name`. */
  readonly name: string;
  readonly options: { readonly user?: string; readonly database?: string; readonly cluster?: string };
}

export async function nounList(
  { kinds }: NounSet,
  { cluster, format }: { readonly cluster?: string; readonly format: Format },
): Promise<void> {
  const all = await withClient(cluster, (client) => client.call(listResources, {}));
  await showResources(
    all.filter(({ kind }) => kinds.includes(kind)),
    format,
  );
}

export async function nounConnect(call: NounCall, args: readonly string[]): Promise<void> {
  const { plugin, own, profile, resource } = await find(call);
  const module = await plugin.client?.();
  if (!module?.connect) throw PosternError.public('invalid_argument', `there is no native client for ${resource.kind}`);
  await using way = await openWay(plugin.protocol, own, resource);
  const options = { ...optionsOf(call, args), ...(way && { local: way.address }) };
  process.exitCode = await runNative(module.connect(profile, targetOf(plugin, resource, own), options));
}

export async function nounEnv(call: NounCall): Promise<void> {
  process.stdout.write(exportLines(await environment(call)));
}

export async function nounLogin(call: NounCall): Promise<void> {
  const { product, set, name, options } = call;
  const { profile, warnings } = await withClient(options.cluster, (client, before) =>
    configure(client, before, product),
  );
  for (const warning of warnings) process.stderr.write(`psh: ${warning}\n`);
  const { resource } = await find(call);
  const files = profile.data.additions.map(({ file }) => `~/${file}`).join(', ');
  process.stdout.write(
    `${files === '' ? 'Your native tools need no files of their own' : `Written for your native tools: ${files}`}.\n` +
      `Reach ${resource.kind}/${resource.name} with them, or with:\n\n    psh ${set.noun} connect ${name}\n`,
  );
}

export async function nounLogout(
  product: PshProduct,
  { noun, kinds }: NounSet,
  options: { readonly cluster?: string },
): Promise<void> {
  await withClient(options.cluster, async (client, profile) => {
    const { warnings } = await configure(client, profile, product, kinds);
    for (const warning of warnings) process.stderr.write(`psh: ${warning}\n`);
  });
  process.stdout.write(`What was written for ${noun} is gone; psh config writes it again.\n`);
}

async function environment(call: NounCall): Promise<Readonly<Record<string, string>>> {
  const { plugin, own, profile, resource } = await find(call);
  const module = await plugin.client?.();
  if (!module?.env)
    throw PosternError.public(
      'invalid_argument',
      `native clients of ${resource.kind} take no variables: use psh proxy`,
    );
  return module.env(profile, targetOf(plugin, resource, own), optionsOf(call, []));
}

const optionsOf = ({ options: { user, database } }: NounCall, args: readonly string[]): ConnectOptions => ({
  ...(user !== undefined && { user }),
  options: database === undefined ? {} : { database },
  args,
});

async function find({ product, set, name, options }: NounCall) {
  const { all, own } = await withClient(options.cluster, async (client, profile) => ({
    all: await client.call(listResources, {}),
    own: profile,
  }));
  const resource = only(
    all.filter(({ kind }) => set.kinds.includes(kind)),
    name,
    set.noun,
  );
  const plugin = (await product.load()).find(({ protocol }) => protocol.id === resource.kind) as Plugin;
  return { resource, plugin, own, profile: await clientProfile(own, product.program, [resource.kind]) };
}

/** A local address for a native client that cannot ask for the resource by its name; gone with the client. */
async function openWay(
  { transport }: AnyProtocol,
  profile: Profile,
  { kind, name, hostname }: Reachable,
): Promise<LocalListener | undefined> {
  if (transport.kind !== 'tls' || transport.forward === undefined) return undefined;
  const target = { kind, name, transport };
  if (transport.forward === 'port') return openForward(target, { profile, hostname }, { port: 0 });
  const directory = await mkdtemp(join(tmpdir(), 'psh-'));
  const listener = await openForward(target, { profile, hostname }, { socket: join(directory, kind) });
  return {
    address: listener.address,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function only(all: readonly Reachable[], wanted: string, noun: string): Reachable {
  const found = all.filter(({ kind, name }) => name === wanted || `${kind}/${name}` === wanted);
  const [first, second] = found;
  if (!first) throw PosternError.public('not_found', `you may reach no ${noun} ${wanted}; see: psh ${noun} ls`);
  if (second)
    throw PosternError.public(
      'invalid_argument',
      `which one? ${found.map(({ kind, name }) => `${kind}/${name}`).join(', ')}`,
    );
  return first;
}
