from __future__ import annotations

import os

import psycopg2
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

app = FastAPI(title="Stock")
DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://stock:stock@db/stock")


@app.get("/", response_class=PlainTextResponse)
def index() -> str:
    return f"stock service is running with libpq {psycopg2.extensions.libpq_version()}\n"


@app.get("/items/{sku}")
def item(sku: str) -> dict[str, object]:
    try:
        with psycopg2.connect(DATABASE_URL, connect_timeout=3) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT amount FROM stock WHERE sku = %s", (sku,))
            row = cursor.fetchone()
    except psycopg2.OperationalError as error:
        raise HTTPException(503, "the database does not answer") from error
    if row is None:
        raise HTTPException(404, "no such item")
    return {"sku": sku, "amount": row[0]}
