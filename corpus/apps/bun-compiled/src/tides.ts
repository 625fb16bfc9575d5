const PERIOD = 12.42 * 3600 * 1000;

export function nextTide(now: Date): string {
  return new Date(Math.ceil(now.getTime() / PERIOD) * PERIOD).toISOString();
}
