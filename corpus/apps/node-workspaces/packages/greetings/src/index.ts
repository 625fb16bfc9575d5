import type { IncomingMessage } from "node:http";
import Negotiator from "negotiator";

const greetings: Record<string, string> = { en: "Hello", de: "Guten Tag", es: "Buenos días" };

export function greet(request: IncomingMessage, name: string): string {
  const language = new Negotiator(request).language(Object.keys(greetings)) ?? "en";
  return `${greetings[language]}, ${name}!`;
}
