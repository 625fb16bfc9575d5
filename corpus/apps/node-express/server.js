const path = require("path");
const express = require("express");
const guests = require("./routes/guests");

const app = express();
const port = process.env.PORT || 8080;

app.set("view engine", "ejs");
app.set("views", path.join(__dirname, "views"));
app.use(express.static(path.join(__dirname, "public")));
app.use(express.urlencoded({ extended: false }));
app.use("/", guests);

const server = app.listen(port, "0.0.0.0", () => {
  console.log(`guest book on port ${port}`);
});

process.on("SIGTERM", () => server.close(() => process.exit(0)));
