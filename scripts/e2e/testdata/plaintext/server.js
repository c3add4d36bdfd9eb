// HTTPS by Node.js: server.js PORT PEM LOG. Each line of the log is: port of the client, number of the request, target.
const https = require('https'), fs = require('fs');
const [port, pem, path] = process.argv.slice(2);
const key = fs.readFileSync(pem), seen = new Map();
const log = fs.openSync(path, 'w');
https.createServer({key, cert: key}, (request, response) => {
  const n = (seen.get(request.socket) || 0) + 1;
  seen.set(request.socket, n);
  const body = request.url.repeat(40).slice(0, 400);
  setTimeout(() => {
    response.writeHead(200, {'Content-Length': body.length});
    response.end(body);
    fs.writeSync(log, `${request.socket.remotePort} ${n} ${request.url}\n`);
  }, n % 5);
}).listen(+port, '127.0.0.1', () => console.log('ready'));
