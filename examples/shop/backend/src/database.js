// SPDX-License-Identifier: Apache-2.0
import { MongoClient } from 'mongodb';

export async function connect(uri = process.env.MONGODB_URI) {
  if (!uri) throw new Error('MONGODB_URI is not set');
  const client = new MongoClient(uri, { maxPoolSize: 20, serverSelectionTimeoutMS: 5000 });
  await client.connect();
  const database = client.db();
  return {
    client,
    database,
    items: database.collection('items'),
    orders: database.collection('orders'),
    customers: database.collection('customers'),
    sessions: database.collection('sessions'),
  };
}
