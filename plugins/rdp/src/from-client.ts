import { PosternError } from '@postern/plugin-sdk';
import { Malformed } from './bytes.js';
import { readActive, recordable, uncompressedChannels, writeActive } from './capabilities.js';
import { hasSecurityFlag, readClientInfo, securityFlag, writeClientInfo } from './client-info.js';
import { clipboardContent } from './clipboard.js';
import { editClientConference, readClientConference } from './conference.js';
import { purposeOfStatic, type Conversation, type OpenChannel } from './conversation.js';
import { channelData, kindOf, mcs, readChannelData, type ChannelData } from './mcs.js';
import type { Verdict } from './pdu-tap.js';
import { readShareHeader, share, shareData } from './share.js';
import { tpkt } from './wire.js';

/** What becomes of a client's PDUs on their way to the desktop. */
export class FromClient {
  constructor(private readonly conversation: Conversation) {}

  readonly handle = (pdu: Buffer): Verdict | Promise<Verdict> => {
    const { stage } = this.conversation;
    if (pdu[0] !== tpkt) return this.#input(pdu);
    if (stage === 'conference') return this.#conference(pdu);
    const kind = kindOf(pdu);
    if (kind === mcs.dataRequest) return this.#data(pdu, readChannelData(pdu));
    const connects = kind === mcs.erectDomain || kind === mcs.attachRequest || kind === mcs.joinRequest;
    if ((connects && stage === 'joining') || kind === mcs.disconnect) return undefined;
    throw new Malformed(`an MCS PDU of kind ${kind} is not due`);
  };

  #input(pdu: Buffer): Verdict | Promise<Verdict> {
    if (this.conversation.stage !== 'active') throw new Malformed('input before the session is active');
    const { recording, recordInput } = this.conversation.options;
    return (recordInput && recording?.write('in', pdu)?.then(() => undefined)) || undefined;
  }

  /** Connect-Initial: what the target is told of the client, and which channels there are. */
  async #conference(pdu: Buffer): Promise<Verdict> {
    const { conversation } = this;
    const { options } = conversation;
    const { channels, errorInfo } = readClientConference(pdu);
    conversation.errorInfo = errorInfo;
    const wanted: OpenChannel[] = [];
    for (const { name } of channels) wanted.push(await this.#channel(name));
    conversation.wanted = wanted;
    conversation.stage = 'joining';
    const denied = new Set(wanted.filter(({ allowed }) => !allowed).map(({ name }) => name));
    const screen = options.recording !== undefined;
    const raiseDepth = options.client === 'web';
    return [
      editClientConference(pdu, {
        selectedProtocol: options.selectedProtocol,
        bitmapsOnly: screen,
        raiseDepth,
        denied,
      }),
    ];
  }

  async #channel(name: string): Promise<OpenChannel> {
    const purpose = purposeOfStatic(name);
    if (!/^[\x21-\x7e]{1,8}$/.test(name)) return { name, purpose, allowed: false };
    // These carry many things, each of which is decided when it comes.
    if (purpose === 'devices' || purpose === 'dynamic') return { name, purpose, allowed: true };
    const allowed = await this.conversation.options.allows(purpose, name);
    if (allowed) await this.conversation.opened(name, purpose, false);
    return { name, purpose, allowed };
  }

  #data(pdu: Buffer, data: ChannelData): Verdict | Promise<Verdict> {
    const { conversation } = this;
    if (data.channel === conversation.ioChannel) return this.#desktop(pdu, data);
    const channel = conversation.channels.get(data.channel);
    if (channel) return this.#static(channel, data);
    if (data.channel === conversation.messageChannel || data.channel === data.user) return undefined;
    throw new Malformed(`data on channel ${data.channel}, which nobody opened`);
  }

  #desktop(pdu: Buffer, data: ChannelData): Verdict | Promise<Verdict> {
    const { conversation } = this;
    const { payload } = data;
    if (conversation.stage === 'joining') {
      if (!hasSecurityFlag(payload, securityFlag.clientInfo)) throw new Malformed('the client info is due');
      conversation.stage = 'licensing';
      return [this.#answer(data, writeClientInfo(readClientInfo(payload), conversation.options.account))];
    }
    if (conversation.stage === 'licensing') {
      if (!hasSecurityFlag(payload, securityFlag.licence)) throw new Malformed('only a licence may come now');
      return undefined;
    }
    const { type, data: header } = readShareHeader(payload);
    if (type === share.confirmActive) return [this.#answer(data, this.#confirm(payload))];
    if (type !== share.data) throw new Malformed(`a share PDU of type ${type} from a client`);
    return header?.type === shareData.input ? this.#input(pdu) : undefined;
  }

  #confirm(payload: Buffer): Buffer {
    const active = readActive(payload);
    const screen = this.conversation.options.recording !== undefined;
    const capabilities = screen ? recordable(active.capabilities, false) : active.capabilities;
    return writeActive({ ...active, capabilities: uncompressedChannels(capabilities) });
  }

  #static(channel: OpenChannel, data: ChannelData): Verdict | Promise<Verdict> {
    if (!channel.allowed) return [];
    if (channel.purpose === 'devices') {
      const instead = this.conversation.devices.fromClient(data.payload);
      if (instead === undefined) return undefined;
      const wrap = (chunks: readonly Buffer[]): Verdict => chunks.map((chunk) => this.#answer(data, chunk));
      return instead instanceof Promise ? instead.then(wrap) : wrap(instead);
    }
    const content = channel.purpose === 'clipboard' ? clipboardContent(data.payload) : undefined;
    return content && this.conversation.clipboard('to_desktop', content)?.then(() => undefined);
  }

  #answer({ user, channel }: ChannelData, payload: Buffer): Buffer {
    try {
      return channelData(mcs.dataRequest, { user, channel }, payload);
    } catch (cause) {
      throw new PosternError('limit_exceeded', 'a rewritten PDU is too long', { cause });
    }
  }
}
