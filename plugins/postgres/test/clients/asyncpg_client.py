import asyncio, json, os, socket, ssl, sys
import asyncpg

settings = json.loads(os.environ["CONNECTION"])

# The name routes; where it leads is a matter of DNS, which tests do without.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1" if host == settings["hostname"] else host, *rest, **more)


async def main():
    told = {}
    context = ssl.create_default_context(cafile=settings["authority"])
    context.load_cert_chain(settings["certificate"], settings["key"])
    connection = await asyncpg.connect(host=settings["hostname"], port=settings["port"], user="app", database="bench", ssl=context)
    told["sum"] = await connection.fetchval("select $1::int + $2::int", 2, 3)
    await connection.execute("create temp table t (n int, s text)")
    await connection.executemany("insert into t values ($1, $2)", [(n, f"row {n}") for n in range(2000)])
    told["count"] = await connection.fetchval("select count(*) from t")
    await connection.copy_records_to_table("t", records=[(n, "copied") for n in range(5000)])
    told["copied"] = await connection.fetchval("select count(*) from t where s = 'copied'")
    async with connection.transaction():
        told["fetched"] = 0
        async for _ in connection.cursor("select n from t", prefetch=500):
            told["fetched"] += 1
    try:
        await connection.fetchval("select pg_sleep(20)", timeout=0.3)
    except asyncio.TimeoutError:
        told["cancelled"] = await connection.fetchval("select 'goes on'")
    try:
        await connection.fetchval("select 1/$1::int", 0)
    except asyncpg.PostgresError as error:
        told["error"] = error.sqlstate
    await connection.close()
    json.dump(told, sys.stdout)


asyncio.run(main())
