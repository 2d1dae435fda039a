import { removeAdditions } from '../additions/apply-setups.js';
import { Profile } from '../profile/profile.js';

/** `psh logout`. */
export async function logout(options: { readonly cluster?: string; readonly all?: boolean }): Promise<void> {
  const profiles = options.all === true ? await Profile.all() : [await Profile.load(options.cluster)];
  for (const profile of profiles) {
    for (const warning of await removeAdditions(profile)) process.stderr.write(`psh: ${warning}\n`);
    await profile.remove();
    process.stdout.write(`Logged out of ${profile.data.cluster}.\n`);
  }
}
