const [, , place] = process.argv;
console.log(`<p>${place}</p>`);
