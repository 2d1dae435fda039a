import { isIPv6 } from 'node:net';

/** The critical option that ties a certificate to the addresses of its owner. */
export const sourceAddressOption = 'source-address';

/** One address as the list of networks that the option holds. */
export const sourceAddress = (address: string): string => `${address}/${isIPv6(address) ? 128 : 32}`;
