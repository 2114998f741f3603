// SPDX-License-Identifier: Apache-2.0
export async function health({ shop }) {
  let database = 'ok';
  try {
    await shop.database.command({ ping: 1 });
  } catch (error) {
    database = error.message;
  }
  const pulse = shop.pulse.report();
  const status = database !== 'ok' ? 'down' : pulse.trouble ? 'degraded' : 'ok';
  return { status: status === 'down' ? 503 : 200, body: { status, release: shop.release, database, ...pulse } };
}
