import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { CertificateIssuer, ServiceRole } from '../certificates/index.js';
import type { Report } from './report.js';

const generate = promisify(generateKeyPair);

/** PEM. */
export interface ServiceCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly made: Date;
  /** When another one should take its place: half its life. */
  readonly renewAt: Date;
}

export interface ServiceCertificateRequest {
  readonly name: string;
  readonly services: readonly ServiceRole[];
  /** The names that it is served under. */
  readonly names: readonly string[];
}

/** Makes a key and has it certified for a service of this process. The event is recorded before it is used. */
export async function certifyService(
  { name, services, names }: ServiceCertificateRequest,
  { issuer, report, now }: { readonly issuer: CertificateIssuer; readonly report: Report; readonly now: () => Date },
): Promise<ServiceCertificate> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
  const { certificate, serial, expires } = await issuer.issueService({ name, services, names, publicKey });
  await report(
    'certificate.issued',
    {},
    { authority: 'host', format: 'x509', serial, subject: name, principals: names, expires: expires.toISOString() },
  );
  return {
    certificate,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    made: now(),
    renewAt: new Date((now().getTime() + expires.getTime()) / 2),
  };
}
