export const pages = new Map([["/", "the lighthouse keepers' almanac"]]);
