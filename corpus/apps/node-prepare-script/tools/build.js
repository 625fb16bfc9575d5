// Turns source/*.md into dist/*.html, and copies the server next to them.
const fs = require("fs");
const path = require("path");
const { marked } = require("marked");

const from = path.join(__dirname, "..", "source");
const to = path.join(__dirname, "..", "dist");

fs.mkdirSync(to, { recursive: true });
for (const name of fs.readdirSync(from)) {
  const text = fs.readFileSync(path.join(from, name), "utf8");
  if (name.endsWith(".md")) {
    fs.writeFileSync(path.join(to, name.replace(/\.md$/, ".html")), marked.parse(text));
  } else {
    fs.writeFileSync(path.join(to, name), text);
  }
}
