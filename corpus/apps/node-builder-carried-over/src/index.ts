import express from "express";

import { next } from "./table";

const app = express();
const port = Number(process.env.PORT ?? 8000);

app.get("/", (request, response) => {
  const hour = Number(request.query.hour ?? 12);
  response.json({ service: "ferry-times", next: next(hour) });
});

const server = app.listen(port, "0.0.0.0");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
