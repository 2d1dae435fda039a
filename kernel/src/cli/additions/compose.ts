import type { Addition } from '@postern/plugin-sdk';

/** What stands in a block, and what was left out of it. */
export interface Composed {
  readonly body: string;
  /** Names of sections that the user's own lines have already. */
  readonly omitted: readonly string[];
}

/** Joins an addition's parts, without the sections that would shadow what the user wrote. */
export function compose({ text, sections = [] }: Pick<Addition, 'text' | 'sections'>, own: string): Composed {
  const shadowed = (pattern: RegExp): boolean =>
    new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).test(own);
  const kept = sections.filter(({ pattern }) => !shadowed(pattern));
  const omitted = sections.filter((section) => !kept.includes(section)).map(({ name }) => name);
  return {
    body: [...kept.map((section) => section.text), text]
      .filter((part) => part !== '')
      .map(ended)
      .join(''),
    omitted,
  };
}

const ended = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);

/** Additions to one file become one block: the first says where it goes. */
export function joinByFile(additions: readonly Addition[]): readonly Addition[] {
  const joined = new Map<string, Addition>();
  for (const addition of additions) {
    const { file, text, sections = [] } = addition;
    const before = joined.get(file);
    joined.set(
      file,
      before ? { ...before, text: before.text + text, sections: [...(before.sections ?? []), ...sections] } : addition,
    );
  }
  return [...joined.values()];
}
