import { createApp } from "./app";

const port = Number(process.env.PORT ?? 3000);
const server = createApp().listen(port, "0.0.0.0", () => {
  console.log(`shelf-api listens on ${port}`);
});

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
});
