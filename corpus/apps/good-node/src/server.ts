import { createServer } from "node:http";
import ms from "ms";

const port = Number(process.env.PORT ?? 3000);
const period = ms("12h") + ms("25m");

function nextHighTide(now: number): Date {
  return new Date(Math.ceil(now / period) * period);
}

const server = createServer((_request, response) => {
  const now = Date.now();
  const next = nextHighTide(now);
  response.end(`tide table: next high tide in ${ms(next.getTime() - now, { long: true })}\n`);
});

server.listen(port, "0.0.0.0", () => console.log(`tide table on port ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
