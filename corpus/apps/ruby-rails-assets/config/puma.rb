port ENV.fetch("PORT", 3000)
threads 3, 3
