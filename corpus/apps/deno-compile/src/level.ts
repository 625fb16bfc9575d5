export const level = (text: string): number => Math.max(...text.trim().split("\n").map(Number));
