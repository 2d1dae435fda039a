import { Option, type Command } from 'commander';
import { action } from '../action.js';
import { positiveNumber, withCluster, withFormat } from '../options.js';

/** Commands about sessions and what was recorded of them. */
export function addRecordingCommands(program: Command): void {
  withCluster(program.command('play'))
    .description('Replay a recorded session in this terminal.')
    .argument('<session>', 'the session, or the beginning of its id')
    .option('--speed <factor>', 'faster or slower', positiveNumber, 1)
    .option('--skip-idle <seconds>', 'wait no longer than this where nothing happened', positiveNumber)
    .addHelpText('after', '\nKeys: space pauses, arrows seek by 5 s, + and - change the speed, q leaves.\n')
    .action(action(async () => (await import('./play.js')).play));
  const recordings = program.command('recordings').description('List and export recordings.');
  withFormat(withCluster(recordings.command('ls')))
    .description('List recordings, newest first.')
    .option('--user <name>', 'of this user’s sessions')
    .option('--limit <number>', 'at most so many', positiveNumber, 100)
    .action(action(async () => (await import('../recordings/list.js')).userRecordings));
  withCluster(recordings.command('export'))
    .description('Write a recording to standard output.')
    .argument('<session>', 'the session, or the beginning of its id')
    .addOption(new Option('--format <format>', 'asciicast, or as stored').choices(['cast', 'raw']).default('cast'))
    .action(action(async () => (await import('./export.js')).exportRecording));
  const sessions = program.command('sessions').description('List live sessions.');
  withFormat(withCluster(sessions.command('ls')))
    .description('List the live sessions that you may see.')
    .action(action(async () => (await import('../sessions/list.js')).userSessions));
}
