import type * as audit from '../../src/audit.js';
import type * as errors from '../../src/errors.js';

/** Modules of the SDK once more, as a second installation of the package would bring them: other classes, other values. */
export async function secondCopy(): Promise<Pick<typeof audit, 'field' | 'sensitivityOf'> & typeof errors> {
  const again = async (file: string): Promise<unknown> =>
    import(new URL(`../../src/${file}?again`, import.meta.url).href);
  return { ...((await again('audit.ts')) as typeof audit), ...((await again('errors.ts')) as typeof errors) };
}
