import { Hono } from "hono";

export const notes = new Hono();

notes.post("/", async (context) => {
  await Deno.writeTextFile("notes/latest.txt", await context.req.text());
  return context.text("kept\n");
});
