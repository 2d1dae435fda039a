import { totpUri, type SecondFactors } from '../../identity/index.js';
import { addDevice, confirmDevice, listDevices, removeDevice } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';
import { requireUser } from '../require-user.js';

export interface MfaHandlersOptions {
  readonly factors: SecondFactors;
  readonly cluster: string;
}

export function mfaHandlers({ factors, cluster }: MfaHandlersOptions): readonly Handler[] {
  return [
    implement(listDevices, async (_, { caller }) => [...(await factors.list(requireUser(caller).user))]),
    implement(addDevice, async (wanted, { caller }) => {
      const { device, token, secret, expires } = await factors.begin(wanted, caller.source);
      const uri = totpUri(secret, wanted.user, cluster);
      return { device, token, secret, uri, expires: expires.toISOString() };
    }),
    implement(confirmDevice, async (shown, { caller }) => ({ device: await factors.confirm(shown, caller.source) })),
    implement(removeDevice, async (wanted, { caller }) => {
      await factors.remove(wanted, caller.source);
      return {};
    }),
  ];
}
