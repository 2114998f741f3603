// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { Pulse } from '../src/pulse.js';

test('few requests are no evidence', () => {
  const pulse = new Pulse({ now: () => 0 });
  for (let n = 0; n < 19; n += 1) pulse.count('GET / 500');
  assert.equal(pulse.report().trouble, undefined);
  pulse.count('GET / 500');
  assert.equal(pulse.report().trouble, 'GET / 500');
});

test('trouble is forgotten after its seconds', () => {
  let time = 0;
  const pulse = new Pulse({ now: () => time });
  for (let n = 0; n < 50; n += 1) pulse.count('GET / 500');
  time = 3001;
  assert.deepEqual(pulse.report(), { requests: 0, failed: 0 });
});
