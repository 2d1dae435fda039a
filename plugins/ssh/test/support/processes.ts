import { readdirSync, readFileSync } from 'node:fs';

/** Processes whose command line contains this text. */
export function processesWith(text: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((pid) => !isSshClient(pid));
}

/** The client has the command in its arguments too. */
function isSshClient(pid: number): boolean {
  try {
    return /^(ssh|scp|sftp)$/.test(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
  } catch {
    return true;
  }
}

/** A number that no other process has in its command line. */
export const uniqueSeconds = (): string => String(100_000 + Math.floor(Math.random() * 800_000));

export const openDescriptors = (): number => readdirSync('/proc/self/fd').length;
