import type { Account } from './client-info.js';
import type { AuditPort, Hold, Recording } from '@postern/plugin-sdk';
import type { Rdp, Use } from './protocol.js';
import { DeviceChannel } from './device-channel.js';
import { ioChannel } from './conference.js';

/** What a static channel is for. */
export type StaticPurpose = Use | 'devices' | 'dynamic';

const purposes: Readonly<Record<string, StaticPurpose>> = {
  cliprdr: 'clipboard',
  rdpsnd: 'sound',
  rdpdr: 'devices',
  drdynvc: 'dynamic',
};

export const purposeOfStatic = (name: string): StaticPurpose => purposes[name] ?? 'channel';

export interface ConversationOptions {
  readonly account: Account;
  readonly requestedProtocols: number;
  readonly selectedProtocol: number;
  readonly client: 'native' | 'web';
  readonly audit: AuditPort<Rdp['audit']>;
  /** Absent where nothing is recorded, and everything may pass. */
  readonly recording: Recording | undefined;
  readonly recordInput: boolean;
  /** Decides a use; records a denial before it resolves to false. */
  readonly allows: (use: Use, channel: string) => Promise<boolean>;
  /** Sends a whole PDU to the desktop, besides what is relayed; resolves once the desktop takes more. */
  readonly toDesktop: (pdu: Buffer) => Promise<void>;
}

export interface OpenChannel {
  readonly name: string;
  readonly purpose: StaticPurpose;
  readonly allowed: boolean;
}

/** What both directions of one session know together. */
export class Conversation {
  /** How far the sequence of connecting has come (MS-RDPBCGR 1.3.1.1). */
  stage: 'conference' | 'joining' | 'licensing' | 'active' = 'conference';
  ioChannel = ioChannel;
  messageChannel: number | undefined;
  user = 0;
  shareId = 0;
  errorInfo = false;
  /** Static channels in the client's order. */
  wanted: readonly OpenChannel[] = [];
  readonly channels = new Map<number, OpenChannel>();
  readonly devices: DeviceChannel;

  constructor(readonly options: ConversationOptions) {
    this.devices = new DeviceChannel({
      allows: (use) => options.allows(use, 'rdpdr'),
      offered: (use, name) =>
        both(options.audit.emit('device', { use, name }), options.recording?.mark('device', { use, name })),
    });
  }

  /** Notes a channel that opens, in the log and in the recording. */
  opened(name: string, use: string, dynamic: boolean): Hold {
    return both(
      this.options.audit.emit('channel', { name, use, dynamic }),
      this.options.recording?.mark('channel', { name, use }),
    );
  }

  /** Notes content of the clipboard. */
  clipboard(direction: 'to_desktop' | 'from_desktop', content: { kind: 'data' | 'file'; bytes: number }): Hold {
    const fields = { direction, ...content };
    return both(this.options.audit.emit('clipboard', fields), this.options.recording?.mark('clipboard', fields));
  }
}

/** Waits for both, where there is something to wait for. */
function both(one: Hold, other: Hold): Hold {
  if (!(one instanceof Promise)) return other;
  return other instanceof Promise ? Promise.all([one, other]).then(() => {}) : one;
}
