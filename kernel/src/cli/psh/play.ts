import { setTimeout as sleep } from 'node:timers/promises';
import type { PlayerModule, RecordedEntry } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import type { TerminalFrame } from '../../recordings/terminal-frames.js';
import { printable } from '../output/printable.js';
import { findRecording, type FoundRecording } from '../recordings/find.js';
import { Player, type PlayerKey } from '../recordings/player.js';
import { playerOf } from '../recordings/players.js';
import { entriesOf, framesOf } from '../recordings/read.js';
import { readableLine } from '../recordings/readable-line.js';
import type { PshProduct } from './product.js';
import { withClient } from './with-client.js';

export interface PlayOptions {
  readonly cluster?: string;
  readonly speed: number;
  /** Seconds. */
  readonly skipIdle?: number;
  /** One of several, by its number. */
  readonly recording?: string;
}

const keys: Readonly<Record<string, PlayerKey>> = {
  ' ': 'pause',
  '\u001b[C': 'forward',
  '\u001b[D': 'back',
  '+': 'faster',
  '=': 'faster',
  '-': 'slower',
  q: 'quit',
  '\u0003': 'quit',
};

/** Leaves the alternate screen, shows the cursor, and switches off colours, mouse and bracketed paste. */
const restore = '\u001b[?1049l\u001b[?25h\u001b[0m\u001b[?1000l\u001b[?1002l\u001b[?1006l\u001b[?2004l\n';

/** `psh play`. */
export async function play(product: PshProduct, session: string, options: PlayOptions): Promise<void> {
  await withClient(options.cluster, async (client) => {
    const { recording: found, others } = await findRecording(client, session, options.recording);
    if (options.recording === undefined && others.length > 0) process.stderr.write(othersText(others));
    if (found.format === 'terminal') return replay(await gather(client, found), options);
    const player = await playerOf(await product.load(), found);
    await printEntries(await entriesOf(client, found), player);
  });
}

const othersText = (others: readonly FoundRecording[]): string =>
  `psh: more of this session, with --recording: ${others.map(({ recording, kind }) => `${recording} (${kind})`).join(', ')}\n`;

async function printEntries(entries: AsyncIterable<RecordedEntry>, player?: PlayerModule): Promise<void> {
  for await (const entry of entries) {
    const line = player?.line ? player.line(entry) : readableLine(entry);
    if (line !== undefined) process.stdout.write(`${printable(line)}\n`);
  }
}

async function gather(client: ApiClient, found: FoundRecording): Promise<readonly TerminalFrame[]> {
  const frames: TerminalFrame[] = [];
  for await (const frame of await framesOf(client, found)) frames.push(frame);
  return frames;
}

async function replay(frames: readonly TerminalFrame[], { speed, skipIdle }: PlayOptions): Promise<void> {
  const player = new Player({
    frames,
    speed,
    maxIdleMs: skipIdle === undefined ? undefined : skipIdle * 1000,
    write: (data) => process.stdout.write(data),
    sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
  });
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) return player.play();
  const press = (data: Buffer): void => {
    const key = keys[data.toString('latin1')];
    if (key) player.press(key);
  };
  stdin.setRawMode(true).on('data', press).resume();
  try {
    await player.play();
  } finally {
    stdin.off('data', press).setRawMode(false).pause();
    stdout.write(restore);
  }
}
