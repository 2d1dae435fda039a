import { PosternError } from '@postern/plugin-sdk';

/**
 * A path as an argument in ssh_config(5): quoted, with no token or variable in
 * it. Throws for a path that the format cannot hold.
 */
export function configPath(path: string): string {
  if (/["\\\p{C}]/u.test(path) || path.includes('${'))
    throw PosternError.public('invalid_argument', `OpenSSH cannot use the path ${JSON.stringify(path)}`);
  return `"${path.replaceAll('%', '%%')}"`;
}

/** One argument of a `ProxyCommand`, for the shell that runs it and for ssh, which looks for tokens first. */
export function commandArgument(argument: string): string {
  if (/\p{C}/u.test(argument))
    throw PosternError.public('invalid_argument', `OpenSSH cannot use the argument ${JSON.stringify(argument)}`);
  const plain = /^[A-Za-z0-9_./:=@+-]+$/.test(argument);
  return plain ? argument : `'${argument.replaceAll("'", "'\\''")}'`.replaceAll('%', '%%');
}

/** A block: a line that selects, and options below it. */
export function configBlock(selector: string, options: readonly (readonly [name: string, value: string])[]): string {
  return [selector, ...options.map(([name, value]) => `    ${name} ${value}`), ''].join('\n');
}

/** A name that may stand in a configuration and in a command as it is. */
export const isPlainName = (name: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name);

/**
 * Matches a line of the user's own by which `name` is a host of hers: the name
 * itself among others, or a pattern with one `*` that it fits. `Host *` alone
 * is for every host and names none.
 */
export function hostLinePattern(name: string): RegExp {
  const characters = [...name].map((character) => character.replace(/[\\^$.|?*+()[\]{}-]/g, '\\$&'));
  const start = characters.reduceRight((rest, character) => `(?:${character}${rest})?`, '');
  const end = characters.reduce((rest, character) => `(?:${rest}${character})?`, '');
  const [first = '', last = ''] = [characters[0], characters.at(-1)];
  const pattern = `(?:${characters.join('')}|(?=${first})${start}\\*+${end}|\\*+(?=[^\\s"]*${last}(?:[\\s"]|$))${end})`;
  return new RegExp(`^[ \\t]*Host(?:[ \\t]+|[ \\t]*=[ \\t]*)(?:.*[ \\t"])?${pattern}(?:[ \\t"].*)?$`, 'im');
}
