import { spawn } from '@lydell/node-pty';

export interface Terminal {
  readonly code: Promise<number>;
  output(): string;
  type(text: string): void;
  /** Resolves as soon as the output so far matches. */
  shows(pattern: RegExp): Promise<void>;
}

/** Runs a program on a terminal of its own. */
export function openTerminal(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Terminal {
  let output = '';
  const listeners = new Set<() => void>();
  const child = spawn(program, [...args], { cols: 200, ...options });
  child.onData((data) => {
    output += data;
    for (const listener of listeners) listener();
  });
  return {
    code: new Promise((resolve) => void child.onExit(({ exitCode }) => resolve(exitCode))),
    output: () => output,
    type: (text) => child.write(text),
    shows: (pattern) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!pattern.test(output)) return;
          listeners.delete(check);
          resolve();
        };
        listeners.add(check);
        check();
      }),
  };
}
