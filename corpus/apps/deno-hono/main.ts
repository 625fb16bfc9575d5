import { Hono } from "hono";
import { notes } from "./routes/notes.ts";

const app = new Hono();

app.get("/", (context) => context.text("notes of the reading group\n"));
app.route("/notes", notes);

Deno.serve({ port: Number(Deno.env.get("PORT") ?? "8000") }, app.fetch);
