import { PosternError } from '@postern/plugin-sdk';
import { BitmapFixer } from './bitmap-fixer.js';
import { BulkUnpacker } from './bulk-unpacker.js';
import { Cursor, Malformed } from './bytes.js';
import { desktopSize, readActive, uncompressedChannels, writeActive } from './capabilities.js';
import { hasSecurityFlag, securityFlag } from './client-info.js';
import { clipboardContent } from './clipboard.js';
import { editServerConference, readServerConference } from './conference.js';
import type { Conversation, OpenChannel } from './conversation.js';
import { purposeOf, readCreation } from './dynamic-channel.js';
import { attachedUser, channelData, kindOf, mcs, readChannelData, type ChannelData } from './mcs.js';
import type { Verdict } from './pdu-tap.js';
import { readShareHeader, share, shareData, shareDataHeader, shareIdOf } from './share.js';
import { tpkt } from './wire.js';

const packed = 0x20;

/** What becomes of a desktop's PDUs on their way to the client. */
export class FromDesktop {
  readonly #unpacker = new BulkUnpacker();
  readonly #fixer: BitmapFixer | undefined;
  /** True once a compressed PDU was kept back: what follows refers to it, and goes on in clear. */
  #expands = false;

  constructor(private readonly conversation: Conversation) {
    this.#fixer = conversation.options.client === 'web' ? new BitmapFixer() : undefined;
  }

  readonly handle = (pdu: Buffer): Verdict | Promise<Verdict> => {
    const { conversation } = this;
    if (pdu[0] !== tpkt) return this.#passed(pdu, this.#unpacker.fastPath(pdu));
    if (conversation.stage === 'conference') throw new Malformed('a desktop speaks before it was asked');
    const kind = kindOf(pdu);
    if (kind === mcs.connect) return this.#conference(pdu);
    if (kind === mcs.attachConfirm) conversation.user = attachedUser(pdu);
    if (kind === mcs.dataIndication) return this.#data(pdu, readChannelData(pdu));
    if (kind === mcs.attachConfirm || kind === mcs.joinConfirm || kind === mcs.disconnect) return undefined;
    throw new Malformed(`an MCS PDU of kind ${kind} is not due`);
  };

  #conference(pdu: Buffer): Verdict {
    const { conversation } = this;
    if (conversation.stage !== 'joining') throw new Malformed('a second conference');
    const { ioChannel, messageChannel, channels } = readServerConference(pdu);
    conversation.ioChannel = ioChannel;
    conversation.messageChannel = messageChannel;
    conversation.wanted.forEach((channel, index) => {
      const id = channels[index];
      if (id !== undefined) conversation.channels.set(id, channel);
    });
    return [editServerConference(pdu, conversation.options.requestedProtocols)];
  }

  #data(pdu: Buffer, data: ChannelData): Verdict | Promise<Verdict> {
    if (data.channel === this.conversation.ioChannel) return this.#desktop(pdu, data);
    const channel = this.conversation.channels.get(data.channel);
    return channel ? this.#static(channel, data) : undefined;
  }

  #desktop(pdu: Buffer, data: ChannelData): Verdict | Promise<Verdict> {
    const { payload } = data;
    const shares = payload.length >= 6 && payload.readUInt16LE(0) === payload.length && (payload[2] ?? 0) % 16 !== 0;
    if (this.conversation.stage !== 'active' && !shares) {
      if (hasSecurityFlag(payload, securityFlag.redirection)) throw redirected();
      return undefined;
    }
    const parts = sharePdus(payload);
    if (parts.length === 1) return this.#share(pdu, data);
    return this.#each(parts.map((part) => ({ ...data, payload: part })));
  }

  /** Several share PDUs in one: each goes on in one of its own. */
  async #each(parts: readonly ChannelData[]): Promise<Verdict> {
    const verdicts: Buffer[] = [];
    for (const part of parts) {
      const pdu = channelData(mcs.dataIndication, part, part.payload);
      verdicts.push(...((await this.#share(pdu, part)) ?? [pdu]));
    }
    return verdicts;
  }

  #share(pdu: Buffer, data: ChannelData): Verdict | Promise<Verdict> {
    const { payload } = data;
    const { type, data: header } = readShareHeader(payload);
    if (type === share.redirection) throw redirected();
    if (type === share.demandActive) return this.#activate(data);
    if (!header) return this.#passed(pdu, [pdu]);
    const plain = this.#unpacker.slowPath(pdu, data);
    if (header.type === shareData.saveSessionInfo) {
      // It names the account and holds a cookie that opens the session again.
      if (header.compression & packed) this.#expands = true;
      return [];
    }
    if (header.type !== shareData.setErrorInfo) return this.#passed(pdu, [plain]);
    const code = new Cursor(readChannelData(plain).payload, shareDataHeader).u32();
    const held = code === 0 ? undefined : this.conversation.options.audit.emit('disconnect', { code });
    return held ? held.then(() => this.#passed(pdu, [plain])) : this.#passed(pdu, [plain]);
  }

  #activate(data: ChannelData): Verdict | Promise<Verdict> {
    const { conversation } = this;
    const active = readActive(data.payload);
    conversation.shareId = shareIdOf(data.payload);
    if (conversation.stage !== 'active' && conversation.stage !== 'licensing')
      throw new Malformed('a desktop activates before the client told who it is');
    conversation.stage = 'active';
    const capabilities = uncompressedChannels(active.capabilities);
    const pdu = channelData(mcs.dataIndication, data, writeActive({ ...active, capabilities }));
    const size = desktopSize(active);
    const held = size && conversation.options.recording?.mark('desktop', size);
    const passed = (): Verdict | Promise<Verdict> => this.#passed(pdu, [pdu], true);
    return held ? held.then(passed) : passed();
  }

  #static(channel: OpenChannel, data: ChannelData): Verdict | Promise<Verdict> {
    if (!channel.allowed) return [];
    if (channel.purpose === 'devices') return this.conversation.devices.fromDesktop(data.payload) ? undefined : [];
    if (channel.purpose === 'dynamic') return this.#dynamic(data);
    const content = channel.purpose === 'clipboard' ? clipboardContent(data.payload) : undefined;
    return content && this.conversation.clipboard('from_desktop', content)?.then(() => undefined);
  }

  #dynamic(data: ChannelData): Verdict | Promise<Verdict> {
    const creation = readCreation(data.payload);
    if (!creation) return undefined;
    return this.#mayOpen(creation.name).then(async (allowed) => {
      if (allowed) return undefined;
      const { user, options } = this.conversation;
      const to = { user, channel: data.channel };
      // Nothing more is read meanwhile: a desktop that asks and takes no answers would have us keep them.
      for (const chunk of creation.refusal) await options.toDesktop(channelData(mcs.dataRequest, to, chunk));
      return [];
    });
  }

  async #mayOpen(name: string): Promise<boolean> {
    const { options } = this.conversation;
    const purpose = purposeOf(name);
    if (purpose === 'screen') return true;
    if (purpose === 'unrecordable') return options.recording === undefined;
    if (!(await options.allows(purpose, name))) return false;
    await this.conversation.opened(name, purpose, true);
    return true;
  }

  /** Records what the client sees, repairs it for the web, and lets it go. */
  #passed(pdu: Buffer, plain: readonly Buffer[], changed = false): Verdict | Promise<Verdict> {
    const { recording } = this.conversation.options;
    let held: Promise<void> | undefined;
    for (const part of plain) {
      const full = recording?.write('out', part);
      if (full) held = full;
    }
    const shown = this.#expands ? plain : [pdu];
    const sent = this.#fixer ? shown.flatMap((part) => this.#fixer?.fix(part) ?? []) : shown;
    const same = !changed && sent.length === 1 && sent[0] === pdu;
    const verdict = same ? undefined : sent;
    return held ? held.then(() => verdict) : verdict;
  }
}

/** A payload on the I/O channel may hold several share PDUs, one after the other. */
function sharePdus(payload: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < payload.length;) {
    const length = new Cursor(payload, at).u16();
    if (length < 6) throw new Malformed(`a share PDU of ${length} bytes`);
    parts.push(Buffer.from(new Cursor(payload, at).take(length)));
    at += length;
  }
  return parts;
}

/** Redirections hold names and passwords, and lead where nobody decided on. */
const redirected = (): PosternError =>
  new PosternError('upstream_unreachable', 'the desktop redirects to another one, which is not followed', {
    publicMessage: 'the desktop redirects to another one: register that one instead',
  });
