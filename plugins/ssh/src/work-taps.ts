import type { Conversation } from './conversation.js';
import type { Terminal, Work } from './launch.js';
import type { PumpTap } from './pump.js';
import { SftpAudit } from './sftp-audit.js';
import { TerminalRecorder } from './terminal-recorder.js';

/** What watches the streams of one program. */
export interface Taps {
  readonly input?: PumpTap;
  readonly output?: PumpTap;
  resize(columns: number, rows: number): Promise<void>;
  /** Records what is left to record. */
  close(): Promise<void>;
}

const none: Taps = { resize: async () => {}, close: async () => {} };

/** A terminal is recorded, a file transfer is read along with, and a plain command has its event alone. */
export async function tapsFor(
  { context, login }: Conversation,
  work: Work,
  { channel, terminal }: { readonly channel: number; readonly terminal: Terminal | undefined },
): Promise<Taps> {
  if (work.kind === 'sftp') {
    const audit = new SftpAudit((event) => context.audit.emit('sftp', { channel, ...event }));
    return {
      ...none,
      input: (data) => audit.fromClient(data),
      output: (data) => audit.fromServer(data),
      close: async () => await audit.end(),
    };
  }
  if (!terminal) return none;
  const command = work.kind === 'command' ? { command: work.command } : {};
  const recorder = await TerminalRecorder.start(context, { channel, login: login.name, terminal, ...command });
  return {
    output: (data) => recorder.output(data),
    resize: async (columns, rows) => await recorder.resize(columns, rows),
    close: () => recorder.close(),
  };
}
