import type { ApiClient } from '../../api/api-client.js';
import { profileClient } from '../profile/auth-connection.js';
import { Profile } from '../profile/profile.js';

/** Runs with a client of the Auth Service under the user's certificate, and closes it. */
export async function withClient<T>(
  cluster: string | undefined,
  use: (client: ApiClient, profile: Profile) => Promise<T>,
): Promise<T> {
  const profile = await Profile.load(cluster);
  const client = await profileClient(profile);
  try {
    return await use(client, profile);
  } finally {
    await client[Symbol.asyncDispose]();
  }
}
