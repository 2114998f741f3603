# SPDX-License-Identifier: Apache-2.0
"""Counts up in every item; a second time would be seen. Behaves as BEHAVIOUR says.

    migrate.py FLAGS     a folder: "migrating" appears when half is done, "go" is waited for
"""
import os
import sys
import time
from pathlib import Path

import pymongo

behaviour = Path(__file__).with_name("BEHAVIOUR").read_text().strip()
flags = Path(sys.argv[1])
database = pymongo.MongoClient(os.environ["MONGODB_URI"]).get_default_database()
half = database.items.count_documents({}) // 2
database.items.update_many({"_id": {"$lt": half}}, {"$inc": {"migrated": 1}})
if behaviour == "halfway":
    print("could not go on with", os.environ["MONGODB_URI"])
    sys.exit(3)
if behaviour == "waits":
    (flags / "migrating").touch()
    deadline = time.monotonic() + 60
    while not (flags / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
database.items.update_many({"_id": {"$gte": half}}, {"$inc": {"migrated": 1}})
database.items.create_index("migrated", name="items_by_migrated")
print("counted up")
