// The library refuses to load before this polyfill, so the two are imported here only, in this order.
import 'reflect-metadata';
import type { Extension } from '@peculiar/x509';
export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';

/** An extension of the library's making, for a certificate of ours. */
export const encoded = (extension: Extension): Buffer => Buffer.from(extension.rawData);
