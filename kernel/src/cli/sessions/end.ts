import { endSession } from '../../api/contract/sessions.js';
import { withAdmin, type AdminOptions } from '../postern/with-admin.js';

/** `postern sessions end`. */
export async function end(
  id: string,
  { message, ...options }: AdminOptions & { readonly message?: string },
): Promise<void> {
  await withAdmin(options, (client) => client.call(endSession, { id, ...(message !== undefined && { message }) }));
  process.stdout.write(`session ${id} ended\n`);
}
