import type { Command } from 'commander';
import { withFormat } from '../options.js';

/** Adds a command that talks to the cluster as an administrator. */
export const adminCommand = (parent: Command, name: string, description: string): Command =>
  withFormat(parent.command(name))
    .description(description)
    .option('--data <directory>', 'the data directory of the process on this machine')
    .option('--proxy', 'use your login of psh instead')
    .option('--cluster <name>', 'with --proxy: the cluster, where you are logged in to several');
