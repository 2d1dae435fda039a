import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadConfiguration, parseConfiguration, type LoadedConfiguration } from '../../configuration/index.js';

/** The configuration that a command means: the file that it names, `postern.yaml` here, or what holds without one. */
export async function findConfiguration(file: string | undefined): Promise<LoadedConfiguration> {
  if (file !== undefined) return loadConfiguration(file);
  if (existsSync('postern.yaml')) return loadConfiguration('postern.yaml');
  return { ...parseConfiguration('', resolve('postern.yaml')), file: undefined };
}
