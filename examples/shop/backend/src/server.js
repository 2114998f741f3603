// SPDX-License-Identifier: Apache-2.0
// The shop's API. HOST, PORT and MONGODB_URI come from outside; BELAY_RELEASE names the release.
import { createServer } from 'node:http';
import { connect } from './database.js';
import { Pulse } from './pulse.js';
import { findRoute, readBody } from './routes.js';

const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 3000);
const shop = { ...await connect(), pulse: new Pulse(), release: process.env.BELAY_RELEASE ?? 'unreleased' };
let stopping = false;

function reply(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-release': shop.release,
    ...(stopping ? { connection: 'close' } : {}),
  });
  response.end(text);
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://shop');
  const route = findRoute(request.method, url.pathname);
  if (!route) return reply(response, 404, { error: 'no such page' });
  try {
    const body = request.method === 'POST' ? await readBody(request) : undefined;
    const { status = 200, ...rest } = await route.serve({ shop, url, body, parameter: route.parameter });
    if (route.counted) shop.pulse.count();
    reply(response, status, rest.body);
  } catch (error) {
    const status = error.status ?? 500;
    const what = `${request.method} ${route.name} ${status} "${error.message}"`;
    if (route.counted) shop.pulse.count(status >= 500 ? what : undefined);
    if (status >= 500) console.error(JSON.stringify({ at: new Date().toISOString(), error: what }));
    reply(response, status, { error: error.message });
  }
}

const server = createServer(answer);
server.keepAliveTimeout = 75_000;   // longer than a proxy's, so that the proxy closes first
server.listen(port, host, () => console.log(`shop backend ${shop.release} on ${host}:${port}`));

// What is being answered is answered; idle connections are closed; then the end.
function stop() {
  if (stopping) return;
  stopping = true;
  server.close(async () => { await shop.client.close(); process.exit(0); });
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 10_000).unref();
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
