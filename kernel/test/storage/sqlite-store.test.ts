import { storeConformance } from './conformance.js';
import { SqliteHarness } from './sqlite-harness.js';

storeConformance('SQLite in a file', () => SqliteHarness.inFile());
storeConformance('SQLite in memory', () => SqliteHarness.inMemory(), { persistent: false });
