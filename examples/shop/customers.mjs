// SPDX-License-Identifier: Apache-2.0
// Customers of the shop: a steady mix of reading, ordering and signing in, over kept-alive connections.
//   node customers.mjs --api URL [--site URL] --ledger FILE [--rate 50] [--seed 1] [--items 1200]
// The ledger has a JSON line for each order sent (before it is sent), each order acknowledged, and each
// request that failed. SIGTERM or SIGINT: no new requests, those under way end, statistics as JSON.
import { closeSync, openSync, writeSync } from 'node:fs';
import http from 'node:http';

const options = { rate: '50', seed: '1', items: '1200' };
for (let at = 2; at < process.argv.length; at += 2) options[process.argv[at].replace(/^--/, '')] = process.argv[at + 1];
const { api, site } = options;
if (!api || !options.ledger) {
  console.error('usage: node customers.mjs --api URL [--site URL] --ledger FILE [--rate N] [--seed N] [--items N]');
  process.exit(2);
}
const interval = 1000 / Number(options.rate);
const ledger = openSync(options.ledger, 'a', 0o600);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const statistics = {
  requests: 0, served: 0, failed: 0, waited: 0, not_found: 0, orders_sent: 0, orders_acknowledged: 0,
  by_status: {}, by_error: {}, first_failure: null, last_failure: null,
};
const times = [];
const mine = [];   // orders acknowledged, to be read again
let orders = 0, underway = 0, stopping = false;

let state = Number(options.seed) >>> 0;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}
const pad = (number, digits) => String(number).padStart(digits, '0');
const note = (line) => writeSync(ledger, `${JSON.stringify({ at: Date.now(), ...line })}\n`);
const anyItem = () => `item-${pad(random(Number(options.items)), 4)}`;
const categories = ['garden', 'kitchen', 'music', 'office', 'outdoor', 'tools', 'toys', 'travel'];

// Out of 100 requests; the last one that the number reaches.
const mix = [
  [0, () => ({ path: '/api/items' })],
  [35, () => ({ path: `/api/items/${anyItem()}` })],
  [50, () => ({ path: `/api/items?category=${categories[random(8)]}&page=${random(8)}` })],
  [62, order],
  [80, () => (mine.length ? { path: `/api/orders/${mine[random(mine.length)]}` } : { path: '/api/items' })],
  [88, signIn],
  [92, () => (site ? { base: site, path: random(2) ? '/' : `/category/${categories[random(8)]}` } : { path: '/api/items' })],
];

function order() {
  orders += 1;
  const id = `order-${options.seed}-${process.pid}-${pad(orders, 6)}`;
  const lines = Array.from({ length: 1 + random(2) }, () => ({ item: anyItem(), quantity: 1 + random(3) }));
  return { method: 'POST', path: '/api/orders', id, body: { id, customer: `customer-${pad(random(50), 2)}`, lines } };
}

function signIn() {
  const number = pad(random(50), 2);
  return { method: 'POST', path: '/api/sign-in', body: { user: `customer-${number}`, password: `password-${number}` } };
}

function ended(request, status, error, began, text) {
  const ms = Date.now() - began;
  times.push(ms);
  if (ms > 1000) statistics.waited += 1;
  const kind = status ? statistics.by_status : statistics.by_error;
  kind[status ?? error] = (kind[status ?? error] ?? 0) + 1;
  if (status === 404) statistics.not_found += 1;   // an order that is not there (any more)
  if (status && status < 500) {
    statistics.served += 1;
    if (request.id && status < 300) {
      statistics.orders_acknowledged += 1;
      mine.push(request.id);
      note({ kind: 'acknowledged', id: request.id, ms, order: request.body, answer: JSON.parse(text) });
    } else if (request.id) note({ kind: 'refused', id: request.id, status });
  } else {
    statistics.failed += 1;
    statistics.first_failure ??= Date.now();
    statistics.last_failure = Date.now();
    note({ kind: 'failed', method: request.method ?? 'GET', path: request.path, id: request.id, status, error, ms, text: text?.slice(0, 200) });
  }
}

function send(request) {
  const began = Date.now();
  const body = request.body && JSON.stringify(request.body);
  const url = new URL(request.path, request.base ?? api);
  const headers = body ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {};
  if (request.id) {
    statistics.orders_sent += 1;
    note({ kind: 'sent', id: request.id });
  }
  statistics.requests += 1;
  underway += 1;
  let over = false;
  const end = (status, error, text) => {
    if (over) return;
    over = true;
    underway -= 1;
    ended(request, status, error, began, text);
  };
  const sent = http.request(url, { method: request.method ?? 'GET', agent, headers, timeout: 40_000 }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('error', (error) => end(undefined, error.code ?? error.message));
    response.on('end', () => end(response.statusCode, undefined, Buffer.concat(parts).toString('utf8')));
  });
  sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })));
  sent.on('error', (error) => {
    // A kept connection that the server closed just before anything was sent on it: as browsers do,
    // reading is tried again on a new one; an order is not.
    if (!over && sent.reusedSocket && error.code === 'ECONNRESET' && !request.body && !request.again) {
      over = true;
      underway -= 1;
      statistics.requests -= 1;
      send({ ...request, again: true });
      return;
    }
    end(undefined, error.code ?? error.message);
  });
  sent.end(body);
}

function finish() {
  if (stopping) return;
  stopping = true;
  const deadline = Date.now() + 45_000;
  const timer = setInterval(() => {
    if (underway > 0 && Date.now() < deadline) return;
    clearInterval(timer);
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? null;
    const milliseconds = { p50: at(0.5), p95: at(0.95), p99: at(0.99), longest: times[times.length - 1] ?? null };
    closeSync(ledger);
    console.log(JSON.stringify({ ...statistics, unanswered: underway, milliseconds }));
    process.exit(0);
  }, 20);
}
process.on('SIGTERM', finish);
process.on('SIGINT', finish);

let next = Date.now();
setInterval(() => {
  for (; !stopping && next <= Date.now(); next += interval) {
    if (underway >= 400) continue;   // nobody queues for ever
    const number = random(100);
    send(mix.filter(([from]) => from <= number).pop()[1]());
  }
}, 5);
