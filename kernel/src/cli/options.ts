import { InvalidArgumentError, Option, type Command } from 'commander';
import { formats } from './output/formats.js';

/** Adds `--format`. */
export const withFormat = (command: Command): Command =>
  command.addOption(new Option('--format <format>', 'for people or for programs').choices(formats).default('table'));

/** Adds `--cluster`, for users who are logged in to several. */
export const withCluster = (command: Command): Command =>
  command.option('--cluster <name>', 'the cluster, where you are logged in to several');

/** Reads one `name=value` and adds it to those before. */
export function pair(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('write name=value');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Adds to the values of an option that may be given several times, or separated by commas. */
export const list = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  ...text.split(',').filter((part) => part !== ''),
];

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('write a number above zero');
  return value;
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Reads `90s`, `30m`, `8h` or `7d`, as seconds. */
export function span(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const seconds = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? NaN);
  if (!(seconds > 0)) throw new InvalidArgumentError('write a time such as 90s, 30m, 8h or 7d');
  return seconds;
}
