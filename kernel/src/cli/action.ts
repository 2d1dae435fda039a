type Command<A extends unknown[]> = (...args: A) => Promise<void> | void;

/** What a command does, loaded when it runs: help and other commands do not wait for it. */
export const action =
  <A extends unknown[]>(load: () => Promise<Command<A>>) =>
  async (...args: A): Promise<void> =>
    (await load())(...args);

/** The same, for code that wants something before what the command line says. */
export const actionWith =
  <F, A extends unknown[]>(first: F, load: () => Promise<Command<[F, ...A]>>) =>
  async (...args: A): Promise<void> =>
    (await load())(first, ...args);
