const http = require("http");
const fs = require("fs");
const ms = require("ms");

const quotes = fs.readFileSync("quotes.txt", "utf8").trim().split("\n");
const started = Date.now();

const server = http.createServer((request, response) => {
  const day = Math.floor(Date.now() / ms("1 day"));
  response.end(`quote of the day: ${quotes[day % quotes.length]}\n(up for ${ms(Date.now() - started)})\n`);
});

server.listen(process.env.PORT || 3000, "0.0.0.0");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
