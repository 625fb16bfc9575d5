export default {
  publicDir: false,
  build: { outDir: "public/build", rollupOptions: { input: "resources/app.css" } },
};
