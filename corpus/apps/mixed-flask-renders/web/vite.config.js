export default { build: { ssr: "page.js" } };
