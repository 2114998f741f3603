# SPDX-License-Identifier: Apache-2.0
def up(database):
    database.entries.create_index("name", name="entries_by_name")
