// SPDX-License-Identifier: Apache-2.0
// Prices become cents, and old orders become smaller: what was in them is in the delivery notes.
import { toCents } from '../src/price.js';

export async function up(database) {
  const items = database.collection('items');
  const orders = database.collection('orders');
  const changes = (await items.find({}, { projection: { price: 1 } }).toArray()).map(({ _id, price }) => (
    { updateOne: { filter: { _id, price }, update: { $set: { price: toCents(price) } } } }));
  let changed = 0;
  for (let at = 0; at < changes.length; at += 500) {
    changed += (await items.bulkWrite(changes.slice(at, at + 500), { ordered: false })).modifiedCount;
  }
  const { modifiedCount } = await orders.updateMany(
    { state: 'delivered', total: { $lt: 60 } }, { $unset: { lines: '' } });
  const indexes = await orders.indexes();
  if (indexes.some(({ name }) => name === 'orders_by_customer')) await orders.dropIndex('orders_by_customer');
  return changed + modifiedCount;
}
