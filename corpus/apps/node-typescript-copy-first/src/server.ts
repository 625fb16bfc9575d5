import { createServer } from "node:http";
import { convert, Question } from "./convert.js";

const port = Number(process.env.PORT ?? 4000);

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname === "/health") {
    response.end("ok\n");
  } else if (url.pathname === "/convert") {
    const question = Question.safeParse(Object.fromEntries(url.searchParams));
    response.statusCode = question.success ? 200 : 400;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(question.success ? { result: convert(question.data) } : question.error.issues));
  } else {
    response.end("unit converter: ask /convert?value=1&from=mi&to=km\n");
  }
});

server.listen(port, "0.0.0.0", () => console.log(`unit converter on port ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
