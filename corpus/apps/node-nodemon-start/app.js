const http = require("http");
const connect = require("connect");

const app = connect();
const port = process.env.PORT || 5000;

app.use("/health", (request, response) => response.end("ok\n"));
app.use((request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end(`echo service: ${request.method} ${request.originalUrl}\n`);
});

const server = http.createServer(app).listen(port, "0.0.0.0", () => {
  console.log(`echo service on port ${port}`);
});

for (const signal of ["SIGTERM", "SIGUSR2"]) {
  process.once(signal, () => server.close(() => process.exit(0)));
}
