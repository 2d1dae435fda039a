import io, json, os, sys
import psycopg2, psycopg2.extensions

connection = psycopg2.connect(os.environ["CONNINFO"])
told = {}
with connection, connection.cursor() as cursor:
    cursor.execute("create temp table t (n int, s text)")
    cursor.executemany("insert into t values (%s, %s)", [(n, f"row {n}") for n in range(20)])
    cursor.copy_expert("copy t from stdin", io.StringIO("".join(f"{n}\tcopied\n" for n in range(1000))))
    cursor.execute("select count(*) from t")
    told["count"] = cursor.fetchone()[0]
    out = io.StringIO()
    cursor.copy_expert("copy (select n from t where s = 'copied' order by n) to stdout", out)
    told["lines"] = len(out.getvalue().splitlines())
with connection, connection.cursor("server_side") as cursor:
    cursor.itersize = 100
    cursor.execute("select generate_series(1, 1000)")
    told["fetched"] = sum(1 for _ in cursor)
try:
    with connection, connection.cursor() as cursor:
        cursor.execute("select 1/0")
except psycopg2.Error as error:
    told["error"] = error.pgcode
connection.close()
json.dump(told, sys.stdout)
