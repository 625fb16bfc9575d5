import { pages } from "./routes/pages.ts";

Deno.serve({ port: 8000 }, (request) => new Response(pages.get(new URL(request.url).pathname) ?? "not found"));
