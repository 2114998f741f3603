// SPDX-License-Identifier: Apache-2.0
// A backend for benchmarks: answers after 5 to 200 ms with its release, the size and the SHA-256
// of the body it got.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const pauses = [5, 5, 5, 10, 10, 20, 50, 200];
const release = process.env.BELAY_RELEASE ?? 'none';

const server = createServer((request, response) => {
  const hash = createHash('sha256');
  let size = 0;
  request.on('data', (chunk) => { hash.update(chunk); size += chunk.length; });
  request.on('end', () => {
    const answer = `${release} ${size} ${hash.digest('hex')}`;
    setTimeout(() => {
      response.setHeader('Content-Length', Buffer.byteLength(answer));
      response.end(answer);
    }, pauses[Math.floor(Math.random() * pauses.length)]);
  });
});
server.listen(Number(process.env.PORT), process.env.HOST ?? '127.0.0.1', 1024);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
