from datetime import date
from pathlib import Path

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

MENU = yaml.safe_load((Path(__file__).parent / "menu.yaml").read_text(encoding="utf-8"))


async def index(request: Request) -> PlainTextResponse:
    today = MENU[date.today().weekday() % len(MENU)]
    return PlainTextResponse(f"today's menu: {today['dish']}\n")


async def week(request: Request) -> JSONResponse:
    return JSONResponse(MENU)


app = Starlette(routes=[Route("/", index), Route("/week", week)])
