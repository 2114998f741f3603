// SPDX-License-Identifier: Apache-2.0
// Applies what migrations/ has and the database has not, in the order of their names. A migration is
// noted after it has run, so one that was interrupted runs again: each must bear that.
import { readdir } from 'node:fs/promises';
import { connect } from './database.js';

const folder = new URL('../migrations/', import.meta.url);
const { client, database } = await connect();
try {
  const done = new Set((await database.collection('migrations').find().toArray()).map((each) => each._id));
  const names = (await readdir(folder)).filter((name) => name.endsWith('.js')).sort();
  let applied = 0;
  let documents = 0;
  for (const name of names) {
    if (done.has(name)) continue;
    const { up } = await import(new URL(name, folder));
    const changed = await up(database);
    await database.collection('migrations').insertOne({ _id: name, at: new Date(), changed });
    console.log(`${name}: ${changed} documents changed`);
    applied += 1;
    documents += changed;
  }
  console.log(`${applied} of ${names.length} migrations were new, ${documents.toLocaleString('en')} documents changed`);
} finally {
  await client.close();
}
