// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { priceOf, round } from '../src/price.js';

test('a price is a number', () => {
  assert.equal(priceOf({ price: 19.99 }), 19.99);
  assert.throws(() => priceOf({ price: '19.99' }), /price is not a number/);
  assert.throws(() => priceOf({}), /price is not a number/);
});

test('sums are rounded to cents', () => {
  assert.equal(round(0.1 + 0.2), 0.3);
});
