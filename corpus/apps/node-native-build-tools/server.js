const http = require("http");
const cpuFeatures = require("cpu-features");

const port = process.env.PORT || 3000;

const server = http.createServer((request, response) => {
  const { arch, flags } = cpuFeatures();
  const known = Object.keys(flags || {}).filter((name) => flags[name]);
  response.end(`cpu report for ${arch}: ${known.join(" ")}\n`);
});

server.listen(port, "0.0.0.0", () => console.log(`cpu report on port ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
