"""A single-node broker that speaks Kafka's protocol: for one machine, not a cluster."""
