import type { Conversation } from './conversation.js';
import { startListener } from './listener.js';
import type { LocalService } from './local-service.js';
import { askForAgent, openChannel } from './open-channel.js';
import { PrivateDirectory } from './private-directory.js';

/** Makes the client's ssh-agent available to the login's programs, by a socket that only they can open. */
export async function forwardAgent(conversation: Conversation): Promise<LocalService> {
  const { transport } = conversation.connection;
  const limit = conversation.context.config.max_channels;
  const directory = await PrivateDirectory.create();
  try {
    const path = directory.file('agent');
    const listener = await startListener({ path }, () => openChannel(transport, limit, askForAgent(transport)));
    await directory.giveTo(conversation.login, path);
    return {
      env: { SSH_AUTH_SOCK: path },
      close: async () => {
        await listener.close();
        await directory.remove();
      },
    };
  } catch (cause) {
    await directory.remove();
    throw cause;
  }
}
