import { PosternError } from '@postern/plugin-sdk';
import { clientProfile } from '../profile/client-profile.js';
import { Profile } from '../profile/profile.js';
import { runNative } from '../run-native.js';
import type { PshProduct } from './product.js';

/** Runs a command that a plugin declares: the plugin says which native program it is, or what to print. */
export async function pluginCommand(
  product: PshProduct,
  { id, name }: { readonly id: string; readonly name: string },
  args: readonly string[],
): Promise<void> {
  const profile = await Profile.load();
  const { expires } = profile.data;
  if (new Date(expires) <= new Date())
    throw PosternError.public('expired', `your certificate expired at ${expires}; log in again: psh login`);
  const plugin = (await product.load()).find(({ protocol }) => protocol.id === id);
  const command = (await plugin?.client?.())?.commands?.[name];
  if (!command) throw new PosternError('internal', `the plugin ${id} declares the command ${name} and has none`);
  const answer = await command(await clientProfile(profile, product.program), args);
  if ('print' in answer) process.stdout.write(answer.print);
  else process.exitCode = await runNative(answer);
}
