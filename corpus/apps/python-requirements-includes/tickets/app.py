from itertools import count

from werkzeug.wrappers import Request, Response

numbers = count(1)


@Request.application
def app(request: Request) -> Response:
    if request.path == "/":
        return Response("tickets: take one at /take\n")
    if request.path == "/take":
        return Response(f"your number is {next(numbers)}\n")
    return Response("not found\n", status=404)
