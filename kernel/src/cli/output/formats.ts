/** A table for people; the others for programs. */
export const formats = ['table', 'json', 'yaml'] as const;
export type Format = (typeof formats)[number];
