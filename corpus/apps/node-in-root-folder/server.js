const http = require('http')
const fs = require('fs')
const path = require('path')
const ms = require('ms')

const page = fs.readFileSync(path.join(__dirname, 'pages', 'index.html'), 'utf8')
const server = http.createServer((request, response) => response.end(page))
server.listen(3000, () => console.log(`sessions last ${ms('2 days')} ms`))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
