import { createServer } from "node:http";
import findMyWay from "find-my-way";
import { find, shorten } from "./links";

const port = Number(process.env.PORT || 3000);
const router = findMyWay({
  defaultRoute(_request, response) {
    response.statusCode = 404;
    response.end("no such link\n");
  },
});

router.on("GET", "/", (_request, response) => {
  response.end("short links are running\n");
});
router.on("GET", "/new", (_request, response, _params, _store, query) => {
  try {
    response.end(`/l/${shorten(String(query.to))}\n`);
  } catch {
    response.statusCode = 400;
    response.end("give a link: /new?to=https://...\n");
  }
});
router.on("GET", "/l/:name", (_request, response, params) => {
  const target = find(params.name ?? "");
  response.writeHead(target ? 302 : 404, target ? { location: target } : {}).end();
});

const server = createServer((request, response) => router.lookup(request, response));
server.listen(port, "0.0.0.0", () => console.log(`listening on ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
