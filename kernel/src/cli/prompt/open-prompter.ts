import { LinePrompter } from './line-prompter.js';
import type { Prompter } from './prompter.js';
import { TerminalPrompter } from './terminal-prompter.js';

/** Asks on the terminal, or reads answers line by line where standard input is a pipe or a file. */
export function openPrompter(): Prompter {
  return process.stdin.isTTY ? new TerminalPrompter(process.stdin, process.stderr) : new LinePrompter(process.stdin);
}
