"""Stand-ins for one machine: a broker that speaks Kafka's protocol, a SQL server that speaks ClickHouse's HTTP."""
