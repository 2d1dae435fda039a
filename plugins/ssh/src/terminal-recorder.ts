import type { Hold, Recording, SessionContext } from '@postern/plugin-sdk';
import type { Ssh } from './protocol.js';
import type { Terminal } from './launch.js';

/** What the player needs to know besides the output. */
export interface RecordedTerminal {
  readonly channel: number;
  readonly login: string;
  readonly terminal: Terminal;
  /** What ran in the terminal; a login shell where absent. */
  readonly command?: string;
}

/**
 * Records what a terminal shows, byte for byte, before the client sees it.
 * What is typed is not recorded: programs echo it where it is no secret.
 */
export class TerminalRecorder {
  private constructor(private readonly recording: Recording) {}

  static async start(context: SessionContext<Ssh>, about: RecordedTerminal): Promise<TerminalRecorder> {
    const { terminal, login, channel, command } = about;
    const { columns, rows, name } = terminal;
    const header = { channel, login, columns, rows, term: name, ...(command !== undefined && { command }) };
    return new TerminalRecorder(await context.record('terminal', header));
  }

  /** Returns a promise while the recorder is behind: the output waits for it. */
  output(data: Buffer): Hold {
    return this.recording.write('out', data);
  }

  resize(columns: number, rows: number): Hold {
    return this.recording.mark('resize', { columns, rows });
  }

  close(): Promise<void> {
    return this.recording.close();
  }
}
