const PERIOD = 12.42

/** The height of the water for every third hour of a day, as a plain sine. */
export function tides(day) {
  const start = day.getDate() * 24
  return [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => ({
    hour,
    height: 2 + Math.sin(((start + hour) / PERIOD) * 2 * Math.PI),
  }))
}
