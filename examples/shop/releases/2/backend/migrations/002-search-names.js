// SPDX-License-Identifier: Apache-2.0
// Each item gets its name in lower case, to be searched by. Run twice it changes nothing more.
export async function up(database) {
  const items = database.collection('items');
  const { modifiedCount } = await items.updateMany(
    { search: { $exists: false } }, [{ $set: { search: { $toLower: '$name' } } }]);
  await items.createIndex({ search: 1, _id: 1 }, { name: 'items_by_search' });
  return modifiedCount;
}
