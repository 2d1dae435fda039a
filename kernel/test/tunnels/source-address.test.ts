import assert from 'node:assert/strict';
import { AddressSet, limitKey, normalAddress } from '../../src/tunnels/index.js';

describe('normalAddress', () => {
  it('writes one host one way', () => {
    assert.equal(normalAddress('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(normalAddress('FE80::1%eth0'), 'fe80::1');
    assert.equal(normalAddress('192.0.2.7'), '192.0.2.7');
  });
});

describe('limitKey', () => {
  it('is the address for IPv4 and the /64 for IPv6', () => {
    assert.equal(limitKey('192.0.2.7'), '192.0.2.7');
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:2:ffff::', '2001:0db8:0001:0002:3:4:5:6'])
      assert.equal(limitKey(address), '2001:db8:1:2::/64');
    assert.equal(limitKey('::1'), '0:0:0:0::/64');
    assert.equal(limitKey('2001:db8::'), '2001:db8:0:0::/64');
    assert.equal(limitKey('64:ff9b::192.0.2.7'), '64:ff9b:0:0::/64');
  });
});

describe('AddressSet', () => {
  const set = new AddressSet(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']);

  it('holds the addresses of its blocks', () => {
    for (const address of ['10.1.2.3', '192.0.2.7', '2001:db8:ffff::1']) assert.ok(set.has(address), address);
  });

  it('holds no others, and nothing that is no address', () => {
    for (const address of ['11.0.0.1', '192.0.2.8', '2001:db9::1', 'unknown', '', '10.0.0.0/8'])
      assert.ok(!set.has(address), address);
    assert.ok(!new AddressSet([]).has('10.1.2.3'));
  });

  it('refuses what is no block, so that a mistake does not trust everybody', () => {
    for (const entry of ['10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0/8', 'all', '::/129', '10.0.0.0/8/8', ''])
      assert.throws(() => new AddressSet([entry]), { code: 'invalid_config' }, entry);
  });
});
