console.log("reef")
