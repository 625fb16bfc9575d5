declare global {
  var counted: () => void;
}

Bun.serve({
  port: 4000,
  fetch() {
    counted();
    return new Response("birds are counted here");
  },
});

export {};
