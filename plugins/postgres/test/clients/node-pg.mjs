import { readFileSync } from 'node:fs';
import pg from 'pg';

const { port, hostname, authority, certificate, key } = JSON.parse(process.env.CONNECTION);
const ssl = {
  servername: hostname,
  ca: readFileSync(authority),
  cert: readFileSync(certificate),
  key: readFileSync(key),
};

/** What a query gave, or why it gave nothing. */
const tell = (promise) =>
  promise.then(
    ({ rows, rowCount }) => ({ rows, rowCount }),
    (cause) => ({ code: cause.code }),
  );

const told = {};
for (const sslnegotiation of ['postgres', 'direct']) {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'app', database: 'bench', ssl, sslnegotiation });
  await client.connect();
  told[sslnegotiation] = [
    await tell(client.query('select 1 as one')),
    await tell(
      client.query('select $1::text as text, $2::bytea as bytes, $3::int as nothing', [
        'ä',
        Buffer.from([0, 255]),
        null,
      ]),
    ),
    await tell(client.query({ name: 'sum', text: 'select $1::int + 1 as sum', values: [1] })),
    await tell(client.query({ name: 'sum', text: 'select $1::int + 1 as sum', values: [2] })),
    await tell(client.query('select 1/$1::int', [0])),
    await tell(client.query('select 1 as still')),
  ];
  await client.end();
}
process.stdout.write(JSON.stringify(told));
