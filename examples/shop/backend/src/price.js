// SPDX-License-Identifier: Apache-2.0
// Prices are numbers of euros.
export function priceOf(item) {
  if (typeof item.price !== 'number') throw new Error('price is not a number');
  return item.price;
}

export function round(amount) {
  return Math.round(amount * 100) / 100;
}
