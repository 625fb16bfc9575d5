globalThis.counted = () => console.log("one more bird");
