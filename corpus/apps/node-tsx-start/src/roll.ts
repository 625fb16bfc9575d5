import seedrandom from "seedrandom";

export function roll(seed?: string): [number, number] {
  const random = seedrandom(seed);
  const die = () => 1 + Math.floor(random() * 6);
  return [die(), die()];
}
