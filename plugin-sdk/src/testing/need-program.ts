import { accessSync, appendFileSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian keeps programs that are not on everybody's PATH. */
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The path of a native program that a test needs. Where it is not installed,
 * the test is skipped, loudly; with `CI` set it fails, unless the program is
 * listed, separated by commas, in `POSTERN_OPTIONAL_PROGRAMS`. Every skip is
 * appended as a line of JSON to the file that `POSTERN_SKIP_LOG` names.
 */
export function needProgram(context: { skip(): unknown }, name: string, aptPackage: string): string {
  const path = findProgram(name);
  if (path !== undefined) return path;
  const message = `${name} is not installed: apt-get install ${aptPackage}`;
  const optional = (process.env['POSTERN_OPTIONAL_PROGRAMS'] ?? '').split(',').includes(name);
  if (process.env['CI'] && !optional) throw new Error(message);
  const log = process.env['POSTERN_SKIP_LOG'];
  if (log) appendFileSync(log, `${JSON.stringify({ program: name, package: aptPackage })}\n`);
  process.stderr.write(`skipped: ${message}\n`);
  context.skip();
  // A runner's skip throws; one that does not must not run the test without its program either.
  throw new Error(message);
}

/** The first executable file of this name on the PATH, or in the folders of system programs. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.length > 0);
  return [...folders, ...systemFolders].map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
