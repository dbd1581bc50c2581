from tests.support.chdb_database import bare_database, chdb_folder, database

__all__ = ["bare_database", "chdb_folder", "database"]
