const departures = [6, 9, 13, 18, 21];

/** The first departure at or after an hour; the first of the next day where none is left. */
export function next(hour: number): number {
  return departures.find((one) => one >= hour) ?? departures[0];
}
