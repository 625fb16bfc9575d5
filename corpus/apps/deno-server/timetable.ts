export function nextDeparture(table: string): string {
  const [first] = table.trim().split("\n");
  return first.split(",").join(" to ");
}
