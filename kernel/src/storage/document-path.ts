import { PosternError } from '@postern/plugin-sdk';

/** Names a document within its collection: one segment, or several from the general to the particular. */
export type DocumentPath = string | readonly string[];

/** One segment as a part of a key. Only what would end the segment, and the escape itself, is escaped. */
const encodeSegment = (segment: string): string => {
  if (segment === '') throw new PosternError('invalid_argument', 'a part of a name is empty');
  return segment.replaceAll('%', '%25').replaceAll('/', '%2F');
};

const decodeSegment = (text: string): string => text.replaceAll('%2F', '/').replaceAll('%25', '%');

/** The path as part of a key. Different paths never meet in one key, whatever characters they have. */
export const encodePath = (path: DocumentPath): string =>
  (typeof path === 'string' ? [path] : path).map(encodeSegment).join('/');

/** The segments that {@link encodePath} put together. */
export const decodePath = (text: string): readonly string[] => text.split('/').map(decodeSegment);
