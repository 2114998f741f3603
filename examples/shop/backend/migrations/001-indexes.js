// SPDX-License-Identifier: Apache-2.0
export async function up(database) {
  await database.collection('items').createIndex({ category: 1, _id: 1 }, { name: 'items_by_category' });
  await database.collection('items').createIndex({ offer: 1, _id: 1 }, { name: 'items_on_offer' });
  await database.collection('orders').createIndex({ customer: 1, at: -1 }, { name: 'orders_by_customer' });
  return 0;
}
