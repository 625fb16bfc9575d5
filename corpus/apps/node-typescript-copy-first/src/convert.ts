import { z } from "zod";

const metresPer = { m: 1, km: 1000, mi: 1609.344, ft: 0.3048 } as const;
const unit = z.enum(["m", "km", "mi", "ft"]);

export const Question = z.object({
  value: z.coerce.number().finite(),
  from: unit,
  to: unit,
});

export type Question = z.infer<typeof Question>;

export function convert({ value, from, to }: Question): number {
  return (value * metresPer[from]) / metresPer[to];
}
