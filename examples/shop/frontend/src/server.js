// SPDX-License-Identifier: Apache-2.0
// The shop's pages, rendered here from what the API says. HOST, PORT and API_URL come from outside.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { page } from './page.js';

const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 3001);
const api = process.env.API_URL ?? 'http://127.0.0.1:3000';
const release = process.env.BELAY_RELEASE ?? 'unreleased';
const dist = new URL('../dist/', import.meta.url);
const { style } = JSON.parse(readFileSync(new URL('manifest.json', dist)));
const sheet = readFileSync(new URL(style, dist));
const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
let stopping = false;

function fetchItems(query) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${api}/api/items${query}`, { agent, timeout: 28_000 }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`the API answered ${response.statusCode}`));
        try {
          return resolve(JSON.parse(Buffer.concat(parts).toString('utf8')).items);
        } catch (error) {
          return reject(error);
        }
      });
    });
    request.on('timeout', () => request.destroy(new Error('the API does not answer')));
    request.on('error', reject);
  });
}

function reply(response, status, type, body) {
  response.writeHead(status, {
    'content-type': type, 'content-length': Buffer.byteLength(body), 'x-release': release,
    ...(stopping ? { connection: 'close' } : {}),
  });
  response.end(body);
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://shop');
  if (url.pathname === `/${style}`) return reply(response, 200, 'text/css', sheet);
  const category = /^\/category\/(\w+)$/.exec(url.pathname)?.[1];
  if (url.pathname !== '/' && !category) return reply(response, 404, 'text/plain', 'no such page\n');
  try {
    const items = await fetchItems(category ? `?category=${category}` : '');
    return reply(response, 200, 'text/html; charset=utf-8',
      page({ title: category ? `Shop: ${category}` : 'Shop: offers', items, release, style }));
  } catch (error) {
    console.error(JSON.stringify({ at: new Date().toISOString(), path: url.pathname, error: error.message }));
    return reply(response, 502, 'text/plain', 'The shop is not itself at the moment. Please try again.\n');
  }
}

const server = http.createServer(answer);
server.keepAliveTimeout = 75_000;
server.listen(port, host, () => console.log(`shop frontend ${release} on ${host}:${port}`));

function stop() {
  if (stopping) return;
  stopping = true;
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 10_000).unref();
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
