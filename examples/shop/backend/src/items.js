// SPDX-License-Identifier: Apache-2.0
import { priceOf } from './price.js';
import { Refused } from './refused.js';

const perPage = 20;

export function shown(item) {
  return { id: item._id, name: item.name, category: item.category, price: priceOf(item), stock: item.stock };
}

// Without a category: the offers, which are on the first page of the shop.
export async function listItems({ shop, url }) {
  const category = url.searchParams.get('category');
  const page = Math.max(0, Number.parseInt(url.searchParams.get('page') ?? '0', 10) || 0);
  const found = await shop.items.find(category ? { category } : { offer: true })
    .sort({ _id: 1 }).skip(page * perPage).limit(perPage).toArray();
  return { body: { items: found.map(shown) } };
}

export async function oneItem({ shop, parameter }) {
  const item = await shop.items.findOne({ _id: parameter });
  if (!item) throw new Refused(404, 'no such item');
  return { body: { ...shown(item), description: item.description } };
}
