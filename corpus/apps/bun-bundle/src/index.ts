import { Hono } from "hono";
import { serveStatic } from "hono/bun";
import { thumbnail } from "./thumbnail";

const app = new Hono();

app.get("/", (c) => c.text("recipe box"));
app.use("/static/*", serveStatic({ root: "./public" }));
app.post("/thumbnails/:name", async (c) => {
  const small = await thumbnail(await c.req.arrayBuffer());
  await Bun.write(`uploads/${c.req.param("name")}`, small);
  return c.text("kept", 201);
});

export default { port: 8080, fetch: app.fetch };
