const bcrypt = require("bcrypt");

const hashes = new Map([["ada", bcrypt.hashSync("analytical engine", 8)]]);

exports.check = async (user, password) => {
  const hash = hashes.get(user);
  return Boolean(hash) && bcrypt.compare(password || "", hash);
};

exports.cost = () => bcrypt.getRounds(hashes.get("ada"));
