import { PosternError } from '@postern/plugin-sdk';
import { hashLength } from './merkle.js';
import { openNote, type NoteVerifier } from './note.js';

/** A signed statement about a log: it has this many entries, and this root over them. */
export interface Checkpoint {
  /** Names the log. */
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** The text that is signed: C2SP tlog-checkpoint, without extension lines. */
export const formatCheckpoint = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${root.toString('base64')}\n`;

/** Reads the text of a checkpoint. Extension lines are allowed and mean nothing here. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', encoded = '', ...extensions] = text.split('\n');
  const root = Buffer.from(encoded, 'base64');
  const wellFormed =
    origin !== '' &&
    /^(0|[1-9][0-9]{0,15})$/.test(size) &&
    Number.isSafeInteger(Number(size)) &&
    root.length === hashLength &&
    root.toString('base64') === encoded &&
    extensions.at(-1) === '' &&
    extensions.slice(0, -1).every((line) => line !== '');
  if (!wellFormed) throw new PosternError('protocol_violation', 'the note is not a checkpoint');
  return { origin, size: Number(size), root };
}

/** Opens a signed checkpoint; rejects as {@link openNote} does, and with `unauthenticated` for another log's. */
export function openCheckpoint(bytes: Buffer, known: readonly NoteVerifier[], origin?: string): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(bytes, known).text);
  if (origin !== undefined && checkpoint.origin !== origin)
    throw new PosternError('unauthenticated', `the checkpoint is of ${checkpoint.origin}, not of ${origin}`);
  return checkpoint;
}
