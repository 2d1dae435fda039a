import { CommanderError, type Command } from 'commander';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { errorText } from './output/error-text.js';

/**
 * Parses the arguments and runs the command that they name. Resolves with the
 * exit code; never rejects. Commands that end with another code than 0 without
 * an error set `process.exitCode`.
 */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  // Whoever reads us, such as head(1), may have enough before we are done.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (cause: NodeJS.ErrnoException) => process.exit(cause.code === 'EPIPE' ? 0 : exitCodes.failed));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    process.stderr.write(errorText(program.name(), cause, process.env['POSTERN_DEBUG'] === '1'));
    return exitCodeOf(cause);
  }
}

/** Makes a program, and every command that is added to it, report mistakes in the same way. */
export function asProgram(program: Command): Command {
  return program
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError(true)
    .showHelpAfterError(`See: ${program.name()} --help`)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, `${program.name()}: `)),
      getOutHelpWidth: () => Math.min(process.stdout.columns ?? 100, 120),
    });
}
