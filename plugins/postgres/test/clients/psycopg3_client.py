import json, os, sys, threading, time
import psycopg

told = {"libpq": psycopg.pq.version()}
modern = psycopg.pq.version() >= 180000
for negotiation in ["postgres", "direct"] if modern else ["postgres"]:
    extra = f" sslnegotiation={negotiation} max_protocol_version=latest" if modern else ""
    with psycopg.connect(os.environ["CONNINFO"] + extra, autocommit=True) as connection:
        answers = {}
        answers["sum"] = connection.execute("select %s::int + %s::int", (2, 3)).fetchone()[0]
        answers["bytes"] = connection.execute("select %b::bytea", (b"\x00\xff",)).fetchone()[0].hex()
        connection.execute("create temp table t (n int, s text)")
        with connection.cursor() as cursor, cursor.copy("copy t from stdin") as copy:
            for n in range(3000):
                copy.write_row((n, "copied"))
        answers["copied"] = connection.execute("select count(*) from t").fetchone()[0]
        with connection.pipeline():
            cursors = [connection.execute("select %s::int", (n,)) for n in range(500)]
        answers["pipelined"] = sum(cursor.fetchone()[0] for cursor in cursors)
        try:
            with connection.pipeline():
                connection.execute("select 1/%s::int", (0,))
                connection.execute("select 'skipped'")
        except psycopg.Error as error:
            answers["error"] = error.sqlstate
        cancel = connection.cancel_safe if hasattr(connection, "cancel_safe") else connection.cancel
        threading.Thread(target=lambda: (time.sleep(0.3), cancel())).start()
        try:
            connection.execute("select pg_sleep(20)")
        except psycopg.Error as error:
            answers["cancelled"] = error.sqlstate
        answers["still"] = connection.execute("select 'goes on'").fetchone()[0]
        told[negotiation] = answers
json.dump(told, sys.stdout)
