import type { Command } from 'commander';
import { action, actionWith } from '../action.js';
import { positiveNumber, withCluster, withFormat } from '../options.js';
import type { PshProduct } from './product.js';

/** Commands about sessions and what was recorded of them. */
export function addRecordingCommands(program: Command, product: PshProduct): void {
  withCluster(program.command('play'))
    .description('Replay a recorded session in this terminal.')
    .argument('<session>', 'the session, or the beginning of its id')
    .option('--recording <number>', 'which one, where a session has several')
    .option('--speed <factor>', 'faster or slower', positiveNumber, 1)
    .option('--skip-idle <seconds>', 'wait no longer than this where nothing happened', positiveNumber)
    .addHelpText('after', '\nKeys: space pauses, arrows seek by 5 s, + and - change the speed, q leaves.\n')
    .action(actionWith(product, async () => (await import('./play.js')).play));
  const recordings = program.command('recordings').description('List and export recordings.');
  withFormat(withCluster(recordings.command('ls')))
    .description('List recordings, newest first.')
    .option('--user <name>', 'of this user’s sessions')
    .option('--limit <number>', 'at most so many', positiveNumber, 100)
    .action(action(async () => (await import('../recordings/list.js')).userRecordings));
  withCluster(recordings.command('export'))
    .description('Write a recording to standard output, or to a file.')
    .argument('<session>', 'the session, or the beginning of its id')
    .option('--recording <number>', 'which one, where a session has several')
    .option(
      '--format <format>',
      'cast (asciicast, of terminals), raw (as stored), or one of its protocol: har, png, mp4, …',
    )
    .option('--at <seconds>', 'the moment that a picture shows; the end by default', Number)
    .option('--out <file>', 'the file to write, for the formats of a protocol; standard output otherwise')
    .action(actionWith(product, async () => (await import('./export.js')).exportRecording));
  const sessions = program.command('sessions').description('List live sessions.');
  withFormat(withCluster(sessions.command('ls')))
    .description('List the live sessions that you may see.')
    .action(action(async () => (await import('../sessions/list.js')).userSessions));
}
