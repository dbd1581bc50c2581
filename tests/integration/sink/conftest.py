from tests.support.brokers import apache_kafka, bootstrap, embedded_broker
from tests.support.sql import embedded_sql, private_sql

__all__ = ["apache_kafka", "bootstrap", "embedded_broker", "embedded_sql", "private_sql"]
