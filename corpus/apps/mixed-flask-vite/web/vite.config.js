export default {
  base: "/static/map/",
  build: {
    outDir: "../static/map",
    emptyOutDir: true,
    rollupOptions: { input: "src/main.js", output: { entryFileNames: "map.js", assetFileNames: "map.[ext]" } },
  },
};
