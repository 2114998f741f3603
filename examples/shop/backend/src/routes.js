// SPDX-License-Identifier: Apache-2.0
import { health } from './health.js';
import { listItems, oneItem } from './items.js';
import { oneOrder, placeOrder } from './orders.js';
import { Refused } from './refused.js';
import { signIn } from './sign_in.js';

// counted: belongs to customers, and so to the pulse.
const table = [
  { method: 'GET', name: '/api/health', pattern: /^\/api\/health$/, serve: health, counted: false },
  { method: 'GET', name: '/api/items', pattern: /^\/api\/items$/, serve: listItems, counted: true },
  { method: 'GET', name: '/api/items/:id', pattern: /^\/api\/items\/([\w-]+)$/, serve: oneItem, counted: true },
  { method: 'POST', name: '/api/orders', pattern: /^\/api\/orders$/, serve: placeOrder, counted: true },
  { method: 'GET', name: '/api/orders/:id', pattern: /^\/api\/orders\/([\w-]+)$/, serve: oneOrder, counted: true },
  { method: 'POST', name: '/api/sign-in', pattern: /^\/api\/sign-in$/, serve: signIn, counted: true },
];

export function findRoute(method, path) {
  for (const route of table) {
    const match = route.method === method && route.pattern.exec(path);
    if (match) return { ...route, parameter: match[1] };
  }
  return undefined;
}

export async function readBody(request, limit = 64 * 1024) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > limit) throw new Refused(413, 'the request is too large');
    parts.push(part);
  }
  let body;
  try {
    body = JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new Refused(400, 'the request is not JSON');
  }
  if (body === null || typeof body !== 'object') throw new Refused(400, 'the request is not an object');
  return body;
}
