import express, { Express } from "express";
import { Shelf } from "./shelf";

export function createApp(): Express {
  const app = express();
  const shelf = new Shelf();

  app.use(express.json());
  app.get("/", (_request, response) => {
    response.type("text").send("shelf-api is running\n");
  });
  app.get("/books", (_request, response) => {
    response.json(shelf.all());
  });
  app.post("/books", (request, response) => {
    const title = String(request.body?.title ?? "").trim();
    if (title === "") {
      response.status(400).json({ error: "a book needs a title" });
      return;
    }
    response.status(201).json(shelf.add(title));
  });
  return app;
}
