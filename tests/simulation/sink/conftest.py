from tests.support.chdb_database import _set_up_database, chdb_folder, database

__all__ = ["_set_up_database", "chdb_folder", "database"]
