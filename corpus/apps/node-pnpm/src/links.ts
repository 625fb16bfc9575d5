import { nanoid } from "nanoid";

const links = new Map<string, string>([["docs", "https://docs.docker.com/"]]);

export function find(name: string): string | undefined {
  return links.get(name);
}

export function shorten(target: string): string {
  const name = nanoid(7);
  links.set(name, new URL(target).href);
  return name;
}
