import "./map.css";

const berths = document.querySelectorAll("[data-berth]");
document.querySelector("#count").textContent = `${berths.length} berths, ${import.meta.env.VITE_HARBOUR ?? "harbour"}`;
