// SPDX-License-Identifier: Apache-2.0
import { priceOf, round } from './price.js';
import { Refused } from './refused.js';

const duplicate = 11000;

function checked(body) {
  const { id, customer, lines } = body;
  if (typeof id !== 'string' || !/^[\w-]{1,64}$/.test(id)) throw new Refused(400, 'id: 1 to 64 letters or digits');
  if (typeof customer !== 'string' || !customer) throw new Refused(400, 'customer is missing');
  if (!Array.isArray(lines) || lines.length < 1 || lines.length > 20) throw new Refused(400, 'lines: 1 to 20');
  for (const line of lines) {
    if (typeof line?.item !== 'string' || !Number.isInteger(line.quantity) || line.quantity < 1 || line.quantity > 99) {
      throw new Refused(400, 'each line is { item, quantity 1 to 99 }');
    }
  }
  // Items are taken in one order everywhere, so that two orders seldom wait for each other.
  return { id, customer, lines: [...lines].sort((a, b) => (a.item < b.item ? -1 : 1)) };
}

// The customer chooses the id: an order sent twice is placed once. Stock and order change together.
export async function placeOrder({ shop, body }) {
  const { id, customer, lines } = checked(body);
  let order;
  try {
    await shop.client.withSession((session) => session.withTransaction(async () => {
      order = { _id: id, customer, at: new Date(), lines: [], total: 0, state: 'placed', release: shop.release };
      for (const { item, quantity } of lines) {
        const { modifiedCount } = await shop.items.updateOne(
          { _id: item, stock: { $gte: quantity } }, { $inc: { stock: -quantity } }, { session });
        if (modifiedCount !== 1) throw new Refused(409, `${item} is not in stock`);
        const taken = await shop.items.findOne({ _id: item }, { session });
        order.lines.push({ item, quantity, price: priceOf(taken) });
        order.total = round(order.total + quantity * priceOf(taken));
      }
      await shop.orders.insertOne(order, { session });
    }));
  } catch (error) {
    if (error.code !== duplicate) throw error;
    order = await shop.orders.findOne({ _id: id });
    if (order?.customer !== customer) throw new Refused(409, 'this id is taken');
    return { status: 200, body: { id, total: order.total, state: order.state } };
  }
  return { status: 201, body: { id, total: order.total, state: order.state } };
}

export async function oneOrder({ shop, parameter }) {
  const order = await shop.orders.findOne({ _id: parameter });
  if (!order) throw new Refused(404, 'no such order');
  return { body: { id: order._id, customer: order.customer, lines: order.lines, total: order.total, state: order.state } };
}
