const http = require("http");
const accounts = require("./lib/accounts");

const port = process.env.PORT || 3000;

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/login") {
    const ok = await accounts.check(url.searchParams.get("user"), url.searchParams.get("password"));
    response.writeHead(ok ? 200 : 403).end(ok ? "welcome\n" : "wrong user or password\n");
    return;
  }
  response.end(`password checker is running, cost ${accounts.cost()}\n`);
});

server.listen(port, "0.0.0.0", () => console.log(`listening on ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
