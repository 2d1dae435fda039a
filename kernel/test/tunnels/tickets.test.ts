import assert from 'node:assert/strict';
import net from 'node:net';
import { Tickets } from '../../src/tunnels/tickets.js';

describe('Tickets', () => {
  it('gives the connection to whoever waits for it', async () => {
    const tickets = new Tickets();
    const [first, second] = [tickets.issue(), tickets.issue()];
    const socket = new net.Socket();
    assert.match(first.ticket, /^[0-9a-f]{32}$/);
    assert.ok(tickets.redeem(second.ticket, socket));
    assert.equal(await second.redeemed, socket);
    first.withdraw('enough');
    await assert.rejects(first.redeemed, { code: 'unavailable', message: 'enough' });
    assert.equal(tickets.size, 0);
  });

  it('a ticket that was overheard is no good a second time', async () => {
    const tickets = new Tickets();
    const { ticket, redeemed } = tickets.issue();
    assert.ok(tickets.redeem(ticket, new net.Socket()));
    assert.equal(tickets.redeem(ticket, new net.Socket()), false);
    await redeemed;
  });

  it('a ticket that is late is no good', async () => {
    const tickets = new Tickets(20);
    const { ticket, redeemed } = tickets.issue();
    await assert.rejects(redeemed, { code: 'unavailable', message: 'the agent did not come within 20 ms' });
    assert.equal(tickets.redeem(ticket, new net.Socket()), false);
    assert.equal(tickets.size, 0);
  });

  it('a ticket that was guessed, cut or extended is no good', async () => {
    const tickets = new Tickets();
    const { ticket, redeemed, withdraw } = tickets.issue();
    const flipped = ticket.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    for (const guess of ['', '0'.repeat(32), ticket.slice(2), `${ticket}00`, flipped, 'x'.repeat(32)])
      assert.equal(tickets.redeem(guess, new net.Socket()), false, guess);
    withdraw('enough');
    await assert.rejects(redeemed);
  });
});
