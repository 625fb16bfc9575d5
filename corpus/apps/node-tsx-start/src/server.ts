import { createServer } from "node:http";
import { roll } from "./roll";

const port = Number(process.env.PORT ?? 3000);

const server = createServer((request, response) => {
  const seed = new URL(request.url ?? "/", "http://localhost").searchParams.get("seed") ?? undefined;
  response.end(`you rolled ${roll(seed).join(" and ")}\n`);
});

server.listen(port, "0.0.0.0", () => console.log(`dice on port ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
