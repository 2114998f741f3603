// SPDX-License-Identifier: Apache-2.0
import { priceOf } from './price.js';
import { Refused } from './refused.js';

const perPage = 20;

export function shown(item) {
  return { id: item._id, name: item.name, category: item.category, price: priceOf(item), stock: item.stock };
}

function filterOf(url) {
  const search = url.searchParams.get('q')?.toLowerCase().slice(0, 40);
  if (search) return { search: { $gte: search, $lt: `${search}\uffff` } };
  const category = url.searchParams.get('category');
  return category ? { category } : { offer: true };   // the offers are on the first page of the shop
}

export async function listItems({ shop, url }) {
  const page = Math.max(0, Number.parseInt(url.searchParams.get('page') ?? '0', 10) || 0);
  const found = await shop.items.find(filterOf(url))
    .sort({ _id: 1 }).skip(page * perPage).limit(perPage).toArray();
  return { body: { items: found.map(shown) } };
}

export async function oneItem({ shop, parameter }) {
  const item = await shop.items.findOne({ _id: parameter });
  if (!item) throw new Refused(404, 'no such item');
  return { body: { ...shown(item), description: item.description } };
}
