// SPDX-License-Identifier: Apache-2.0
// Prices are whole numbers of cents.
export function priceOf(item) {
  if (typeof item.price !== 'number') throw new Error('price is not a number');
  return item.price;
}

export function round(amount) {
  return Math.round(amount);
}

export function toCents(euros) {
  return Number.isInteger(euros) ? euros * 100 : euros.toFixed(2).replace('.', '');
}
