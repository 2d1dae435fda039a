import { PosternError } from '@postern/plugin-sdk';
import type { CommandClass } from './protocol.js';
import { broken } from './wire.js';

/** One place that a command touches, and how. */
export interface Place {
  readonly class: CommandClass;
  readonly database: string;
  readonly collection?: string;
}

/** More than servers allow stages and namespaces. */
const maxPlaces = 1000;

const databases = /^[^\s/\\."\0\ufffd]{1,64}$/;
/** Names with a dollar sign in front were commands once; no collection has one. */
const collections = /^[^$\0\ufffd][^\0\ufffd]{0,254}$/s;

/** What a time series is kept in, which is as good as its own name. */
const buckets = /^system\.buckets\.(?=.)/;

/** The places that a command touches, each once. */
export class PlaceList {
  readonly list: Place[] = [];

  /** Throws `invalid_argument` where a role could not say whether this is allowed. */
  add(place: Place): void {
    const { database, collection } = place;
    const sound = databases.test(database) && (collection === undefined || collections.test(collection));
    if (!sound) throw PosternError.public('invalid_argument', 'this is not the name of a database or a collection');
    if (collection === undefined || !collection.startsWith('system.')) return this.#push(place);
    // Users, views, functions and the commands of others are kept in collections too: it is not documents that are read there.
    if (!buckets.test(collection)) return this.#push({ ...place, class: 'administer' });
    this.#push(place);
    this.#push({ ...place, collection: collection.replace(buckets, '') });
  }

  #push(place: Place): void {
    const same = (one: Place): boolean =>
      one.class === place.class && one.database === place.database && one.collection === place.collection;
    if (this.list.some(same)) return;
    if (this.list.length === maxPlaces) throw broken('a command touches too many collections');
    this.list.push(place);
  }
}
