import { nextDeparture } from "./timetable.ts";

// One ferry a day: no package is needed for that.
Deno.serve({ port: 8000 }, async () => {
  const table = await Deno.readTextFile("data/departures.csv");
  return new Response(`next ferry: ${nextDeparture(table)}\n`);
});
