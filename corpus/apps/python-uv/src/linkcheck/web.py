from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from linkcheck.links import links


async def index(request: Request) -> PlainTextResponse:
    return PlainTextResponse("linkcheck is running\n")


async def check(request: Request) -> JSONResponse:
    return JSONResponse(links((await request.body()).decode("utf-8", "replace")))


app = Starlette(routes=[Route("/", index), Route("/links", check, methods=["POST"])])
