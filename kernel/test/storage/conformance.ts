import { commitConformance } from './conformance-commits.js';
import { entryConformance } from './conformance-entries.js';
import { expiryConformance } from './conformance-expiry.js';
import { feedConformance } from './conformance-feed.js';
import { type OpenHarness, type StoreTraits } from './conformance-harness.js';
import { modelConformance } from './conformance-model.js';

export { Lent, type StoreHarness, type StoreTraits } from './conformance-harness.js';

/** What every backend of the store must do. `open` makes an empty store; each test has its own. */
export function storeConformance(name: string, open: OpenHarness, traits: StoreTraits = { persistent: true }): void {
  describe(`${name}: the contract of a store`, () => {
    entryConformance(open, traits);
    commitConformance(open);
    expiryConformance(open);
    feedConformance(open, traits);
    modelConformance(open, traits);
  });
}
