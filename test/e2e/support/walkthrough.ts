import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../support/cluster.js';

/** One command of a document, with what it must print. */
export interface WrittenCommand {
  readonly text: string;
  readonly background: boolean;
  readonly prints: readonly RegExp[];
}

export type Passage =
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'console'; readonly title: string; readonly commands: readonly WrittenCommand[] };

/**
 * The files and commands of one section of a Markdown text, in their order:
 * blocks of YAML that are named like a file, and consoles, in which a line that
 * begins with `$` is a command and the others are parts of what it prints, `…`
 * for anything.
 */
export function passagesOf(markdown: string, section: string): readonly Passage[] {
  const began = markdown.indexOf(`\n## ${section}\n`);
  const [, body = ''] = /^\n## [^\n]*\n([\s\S]*?)(?=\n## |$(?![\s\S]))/.exec(markdown.slice(began)) ?? [];
  const blocks = body.matchAll(/^```(yaml|console) ([^\n]+)\n([\s\S]*?)^```$/gm);
  return [...blocks].map(([, language, title = '', text = '']) =>
    language === 'yaml' ? { kind: 'file', name: title, text } : { kind: 'console', title, commands: commandsOf(text) },
  );
}

function commandsOf(text: string): readonly WrittenCommand[] {
  return text.split(/^\$ /m).flatMap((one) => {
    const [line = '', ...printed] = one.trimEnd().split('\n');
    if (line === '') return [];
    const background = line.endsWith(' &');
    return [{ text: line.replace(/ &$/, ''), background, prints: printed.map(patternOf) }];
  });
}

/** Columns may be as wide as they like. */
const patternOf = (line: string): RegExp =>
  new RegExp(
    line
      .split(/( *… *| +)/)
      .map((part) =>
        /^ +$/.test(part) ? ' +' : part.includes('…') ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join(''),
  );

interface Job {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly closed: Promise<unknown>;
}

/** Types commands into a shell, so to speak, in one directory. */
export class Walkthrough implements AsyncDisposable {
  readonly #jobs: Job[] = [];

  constructor(
    private readonly directory: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** Resolves with everything that was printed; for a command in the background, as soon as it has printed what it must. */
  async run(command: WrittenCommand, input = ''): Promise<string> {
    const foreground = command.text === 'fg';
    const job = foreground ? this.#jobs.at(-1) : this.#start(command.text, input);
    if (!job) throw new Error('nothing runs in the background');
    const missing = (): RegExp | undefined => command.prints.find((pattern) => !pattern.test(job.output()));
    if (command.background) {
      this.#jobs.push(job);
      await until(() => missing() === undefined || job.child.exitCode !== null, 60_000);
    } else await job.closed;
    const wanted = missing();
    if (wanted) throw new Error(`${command.text} did not print ${wanted.source}, but:\n${job.output()}`);
    // What is told of a refusal is enough; a command of which nothing is told must simply work.
    const failed = !command.background && command.prints.length === 0 && job.child.exitCode !== 0;
    if (failed) throw new Error(`${command.text} failed:\n${job.output()}`);
    return job.output();
  }

  /** Newest first, as each waits for the one before it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, closed } of this.#jobs.reverse()) {
      child.kill('SIGINT');
      await closed;
    }
  }

  #start(text: string, input: string): Job {
    // The shell becomes the program, so that a signal reaches it.
    const simple = !text.startsWith('(');
    const child = spawn('bash', ['-c', simple ? `exec ${text}` : text], { cwd: this.directory, env: this.env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    return { child, output: () => output, closed: once(child, 'close') };
  }
}
