import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DerReader, derElement, derInteger, derObjectIdentifier, derTag } from '../../src/certificates/der.js';

describe('DER', () => {
  it('reads what it wrote, at every size of length', () => {
    for (const size of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const contents = Buffer.alloc(size, 7);
      const reader = new DerReader(derElement(derTag.octetString, contents));
      assert.deepEqual(reader.read(derTag.octetString), contents);
      reader.end();
    }
  });

  it('reads any sequence of elements it wrote', () => {
    const element = fc.record({ tag: fc.integer({ min: 1, max: 0x30 }), contents: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(fc.array(element), (elements) => {
        const reader = new DerReader(Buffer.concat(elements.map(({ tag, contents }) => derElement(tag, contents))));
        for (const { tag, contents } of elements) assert.deepEqual(reader.read(tag), Buffer.from(contents));
        reader.end();
      }),
    );
  });

  const identifiers = [
    { oid: '2.5.29.37', hex: '551d25' },
    { oid: '1.2.840.113549.1.1.11', hex: '2a864886f70d01010b' },
    { oid: '1.3.6.1.5.5.7.3.2', hex: '2b06010505070302' },
    { oid: '2.5.4.3', hex: '550403' },
  ];
  for (const { oid, hex } of identifiers)
    it(`writes the object identifier ${oid}`, () => {
      assert.equal(derObjectIdentifier(oid).toString('hex'), hex);
    });

  const numbers = [
    { bytes: '', hex: '020100' },
    { bytes: '0000', hex: '020100' },
    { bytes: '7f', hex: '02017f' },
    { bytes: '80', hex: '02020080' },
    { bytes: '000080', hex: '02020080' },
    { bytes: '0001ff', hex: '020201ff' },
  ];
  for (const { bytes, hex } of numbers)
    it(`writes the number of the bytes ${JSON.stringify(bytes)} in its shortest form`, () => {
      assert.equal(derInteger(Buffer.from(bytes, 'hex')).toString('hex'), hex);
    });

  const malformed = [
    { name: 'nothing', hex: '' },
    { name: 'a tag without a length', hex: '04' },
    { name: 'fewer contents than promised', hex: '040301' },
    { name: 'an indefinite length', hex: '30800000' },
    { name: 'a length of four bytes', hex: '048400000001aa' },
    { name: 'a long form where the short one would do', hex: '04810101' },
    { name: 'a length with a leading zero', hex: '04820080' + '00'.repeat(128) },
    { name: 'another tag', hex: '0c0141' },
  ];
  for (const { name, hex } of malformed)
    it(`refuses ${name}`, () => {
      assert.throws(() => new DerReader(Buffer.from(hex, 'hex')).read(derTag.octetString), RangeError);
    });

  it('refuses trailing bytes', () => {
    const reader = new DerReader(Buffer.from('04010000', 'hex'));
    reader.read(derTag.octetString);
    assert.throws(() => reader.end(), RangeError);
  });
});
