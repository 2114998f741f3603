# SPDX-License-Identifier: Apache-2.0
"""Runs the migrations that the database has not seen, in the order of their names."""
import os
import runpy
from pathlib import Path

import pymongo

database = pymongo.MongoClient(os.environ["MONGODB_URI"]).get_default_database()
done = {each["_id"] for each in database.migrations.find()}
for path in sorted((Path(__file__).parent / "migrations").glob("*.py")):
    if path.name not in done:
        runpy.run_path(str(path))["up"](database)
        database.migrations.insert_one({"_id": path.name})
        print(path.name)
