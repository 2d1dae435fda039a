import type { Command } from 'commander';
import { PosternError } from '@postern/plugin-sdk';

/** What a shell needs to know of one command. */
interface Completed {
  /** The words that lead to it, such as `users add`. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  /** With their dashes. */
  readonly options: readonly string[];
}

const shells: Readonly<Record<string, (program: string, all: readonly Completed[]) => string>> = { bash, zsh, fish };

/** Prints the script for a shell. Throws `invalid_argument` for one that is not known. */
export function printCompletion(program: Command, shell: string): void {
  const script = shells[shell];
  if (!script) throw PosternError.public('invalid_argument', `no completion for ${shell}: bash, zsh or fish`);
  process.stdout.write(script(program.name(), describe(program, [])));
}

function describe(command: Command, path: readonly string[]): readonly Completed[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  return [
    {
      path,
      commands: commands.map((one) => ({ name: one.name(), summary: one.description() })),
      options: help.visibleOptions(command).flatMap(({ long }) => long ?? []),
    },
    ...commands.flatMap((one) => describe(one, [...path, one.name()])),
  ];
}

/** One `case` for every command: the words typed so far, options left out, lead to what may follow. */
function cases(all: readonly Completed[]): string {
  return all
    .map(({ path, commands, options }) => {
      const words = [...commands.map(({ name }) => name), ...options].join(' ');
      return `    "${path.join(' ')}") words="${words}" ;;`;
    })
    .join('\n');
}

/** Walks the words: what is no command of the one before it is an argument, and ends the way. */
function bash(program: string, all: readonly Completed[]): string {
  return `# Load with: source <(${program} completion bash)
_${program}_words() {
  case "$1" in
${cases(all)}
    *) return 1 ;;
  esac
  printf '%s' "$words"
}
_${program}() {
  local path="" word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) continue ;; esac
    _${program}_words "\${path:+$path }$word" >/dev/null && path="\${path:+$path }$word"
  done
  words=$(_${program}_words "$path")
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${program} ${program}
`;
}

function zsh(program: string, all: readonly Completed[]): string {
  return `#compdef ${program}
# Load with: source <(${program} completion zsh)
_${program}_words() {
  case "$1" in
${cases(all)}
    *) return 1 ;;
  esac
  printf '%s' "$words"
}
_${program}() {
  local path_="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in -*) continue ;; esac
    _${program}_words "\${path_:+$path_ }$word" >/dev/null && path_="\${path_:+$path_ }$word"
  done
  compadd -- \${=$(_${program}_words "$path_")}
  _files
}
compdef _${program} ${program}
`;
}

function fish(program: string, all: readonly Completed[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = all.flatMap(({ path, commands, options }) => {
    const names = commands.map(({ name }) => name).join(' ');
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const notYet = names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`];
    const condition = quoted([...seen, ...notYet].join('; and ') || 'true');
    return [
      ...commands.map(
        ({ name, summary }) => `complete -c ${program} -n ${condition} -f -a ${name} -d ${quoted(summary)}`,
      ),
      ...options.map((option) => `complete -c ${program} -n ${condition} -l ${option.slice(2)}`),
    ];
  });
  return `# Load with: ${program} completion fish | source\n${lines.join('\n')}\n`;
}
