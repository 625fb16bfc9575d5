import { greet } from "@greeter/greetings";
import polka from "polka";

const port = Number(process.env.PORT ?? 3000);
const app = polka();

app.get("/", (request, response) => {
  response.end(`${greet(request, String(request.query.name ?? "world"))}\n`);
});

app.listen(port, "0.0.0.0", () => console.log(`greeter on port ${port}`));
process.on("SIGTERM", () => app.server?.close(() => process.exit(0)));
