import { summarize } from '@postern/kernel/cli';
import { standardPlugins } from './standard.js';

/** What the user's program knows of the plugins without loading them. */
export const summaries = standardPlugins.map(summarize);
