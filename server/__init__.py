"""Central: prices, the loop of slots and federated rounds, the global model."""
