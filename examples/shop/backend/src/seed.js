// SPDX-License-Identifier: Apache-2.0
// A shop with stock and a past. The same every time: the same seed, the same documents.
import { connect } from './database.js';
import { round } from './price.js';
import { hashed } from './sign_in.js';

const counts = { items: Number(process.env.SHOP_ITEMS ?? 1200), orders: Number(process.env.SHOP_ORDERS ?? 5000), customers: 50 };
const categories = ['garden', 'kitchen', 'music', 'office', 'outdoor', 'tools', 'toys', 'travel'];
const first = ['Plain', 'Blue', 'Sturdy', 'Folding', 'Small', 'Large', 'Quiet', 'Bright', 'Warm', 'Light'];
const second = ['lamp', 'rope', 'kettle', 'chair', 'notebook', 'lantern', 'spade', 'drum', 'bag', 'hammer', 'map'];

let state = 4750;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}
const pad = (number, digits) => String(number).padStart(digits, '0');
const pick = (list) => list[random(list.length)];

function item(number) {
  const offer = number % 50 === 0;   // offers have whole prices
  const name = `${pick(first)} ${pick(second)}`;
  return {
    _id: `item-${pad(number, 4)}`, name, category: categories[number % categories.length], offer,
    price: offer ? 5 + random(40) : round(1 + random(95) + pick([0.25, 0.49, 0.9, 0.95, 0.99])),
    stock: 10_000, description: `${name}. `.repeat(6 + random(8)).trim(),
  };
}

function order(number, items) {
  const lines = Array.from({ length: 1 + random(4) }, () => {
    const { _id, price } = pick(items);
    return { item: _id, quantity: 1 + random(3), price };
  });
  return {
    _id: `past-${pad(number, 5)}`, customer: `customer-${pad(random(counts.customers), 2)}`,
    at: new Date(Date.UTC(2026, 0, 1) + number * 3_600_000), lines,
    total: round(lines.reduce((sum, line) => sum + line.quantity * line.price, 0)), state: 'delivered', release: 'past',
  };
}

async function customer(name, password) {
  return { _id: name, salt: `salt of ${name}`, hash: (await hashed(password, `salt of ${name}`)).toString('hex') };
}

const shop = await connect();
try {
  const items = Array.from({ length: counts.items }, (_, number) => item(number));
  const orders = Array.from({ length: counts.orders }, (_, number) => order(number, items));
  const customers = await Promise.all(Array.from({ length: counts.customers },
    (_, number) => customer(`customer-${pad(number, 2)}`, `password-${pad(number, 2)}`)));
  customers.push(await customer('check', process.env.CHECK_PASSWORD ?? 'only-for-checks'));
  for (const [collection, documents] of [[shop.items, items], [shop.orders, orders], [shop.customers, customers]]) {
    await collection.deleteMany({});
    for (let at = 0; at < documents.length; at += 1000) await collection.insertMany(documents.slice(at, at + 1000));
  }
  console.log(`${items.length} items, ${orders.length} orders, ${customers.length} customers`);
} finally {
  await shop.client.close();
}
