const express = require("express");

const router = express.Router();
const guests = ["Ada"];

router.get("/", (req, res) => {
  res.render("index", { title: "Guest book", guests });
});

router.post("/", (req, res) => {
  const name = String(req.body.name || "").trim();
  if (name) guests.push(name);
  res.redirect("/");
});

module.exports = router;
