"""The only place that imports a ClickHouse client."""
