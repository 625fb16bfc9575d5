import { nanoid } from "nanoid";
import { nextTide } from "./tides";

const port = Number(process.env.PORT ?? 3000);

Bun.serve({
  port,
  fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/health") return new Response("ok");
    return Response.json({ id: nanoid(8), next: nextTide(new Date()) });
  },
});

console.log(`tide-tables is listening on ${port}`);
