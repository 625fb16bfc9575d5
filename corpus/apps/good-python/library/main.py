import os

import psycopg2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://library@db/library")


def count_loans() -> int:
    with psycopg2.connect(DATABASE_URL, connect_timeout=3) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM loans")
        return cursor.fetchone()[0]


async def index(request: Request) -> PlainTextResponse:
    return PlainTextResponse("library is running\n")


async def loans(request: Request) -> JSONResponse:
    try:
        return JSONResponse({"loans": await run_in_threadpool(count_loans)})
    except psycopg2.OperationalError:
        return JSONResponse({"error": "the database does not answer"}, status_code=503)


app = Starlette(routes=[Route("/", index), Route("/loans", loans)])
