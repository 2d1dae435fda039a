import { stringify } from 'yaml';

/** A value as one YAML document. In a file of its own, since the library is loaded only where it is wanted. */
export const yamlText = (value: unknown): string => stringify(value);
