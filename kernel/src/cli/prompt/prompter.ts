/** Asks whoever runs the program. Answers never come from arguments, which other users can read. */
export interface Prompter extends Disposable {
  /** True where a person answers, who can be asked again. */
  readonly interactive: boolean;
  /** Resolves with one line. Rejects with `aborted` at Ctrl-C. */
  ask(label: string): Promise<string>;
  /** The same, without showing what is typed. */
  hidden(label: string): Promise<string>;
}
