import { hostname } from 'node:os';

/** This machine's name as a DNS label, without its domain; `otherwise` where nothing of it can stand in one. */
export function hostLabel(otherwise: string): string {
  const label = hostname()
    .toLowerCase()
    .replace(/\..*$/, '')
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? otherwise : label.slice(0, 63);
}
