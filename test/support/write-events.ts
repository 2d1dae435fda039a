import { writeFileSync } from 'node:fs';
import { Catalog, renderCatalog } from '@postern/kernel/audit';
import { standardPlugins } from '../../config/src/standard.js';

// `npm run events`: writes docs/events.md from the declarations.
const catalog = Catalog.of(standardPlugins.map(({ protocol }) => protocol));
writeFileSync(new URL('../../docs/events.md', import.meta.url), renderCatalog(catalog));
