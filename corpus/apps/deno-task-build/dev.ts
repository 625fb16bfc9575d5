import { pages } from "./routes/pages.ts";

Deno.mkdirSync("_site", { recursive: true });
for (const [path, text] of pages) Deno.writeTextFileSync(`_site${path}index.html`, text);
