const fs = require("fs");
const http = require("http");
const path = require("path");
const mime = require("mime");

const port = process.env.PORT || 3000;

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const file = path.join(__dirname, pathname === "/" ? "index.html" : path.basename(pathname));
  fs.readFile(file, (error, data) => {
    if (error) {
      response.writeHead(404).end("no such page\n");
      return;
    }
    response.writeHead(200, { "content-type": mime.getType(file) || "text/plain" }).end(data);
  });
});

server.listen(port, "0.0.0.0", () => console.log(`pages on port ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
