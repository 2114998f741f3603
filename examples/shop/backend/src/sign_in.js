// SPDX-License-Identifier: Apache-2.0
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Refused } from './refused.js';

const derive = promisify(scrypt);

export function hashed(password, salt) {
  return derive(password, salt, 32, { N: 1024 });   // an example: too cheap for real passwords
}

export async function signIn({ shop, body }) {
  const customer = await shop.customers.findOne({ _id: String(body.user ?? '') });
  const given = await hashed(String(body.password ?? ''), customer?.salt ?? 'nobody');
  if (!customer || !timingSafeEqual(given, Buffer.from(customer.hash, 'hex'))) {
    throw new Refused(401, 'unknown customer or wrong password');
  }
  const token = randomBytes(24).toString('base64url');
  await shop.sessions.insertOne({
    _id: createHash('sha256').update(token).digest('hex'), user: customer._id, at: new Date() });
  return { body: { token, user: customer._id } };
}
