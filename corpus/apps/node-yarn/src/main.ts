import { readFileSync } from "node:fs";
import path from "node:path";
import Koa from "koa";

const cities: Record<string, string> = JSON.parse(
  readFileSync(path.join(__dirname, "..", "config", "cities.json"), "utf8"),
);

const app = new Koa();
const port = Number(process.env.PORT || 3000);

app.use(async (context) => {
  if (context.path === "/healthz") {
    context.body = "ok";
    return;
  }
  const now = new Date();
  const lines = Object.entries(cities).map(
    ([city, zone]) => `${city}: ${now.toLocaleTimeString("en-GB", { timeZone: zone })}`,
  );
  context.body = ["world clock", ...lines, ""].join("\n");
});

const server = app.listen(port, "0.0.0.0", () => console.log(`world clock on port ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
