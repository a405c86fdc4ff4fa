"""What both ends of Commonwatt must agree on: units, clock, configuration, wire messages, tariff, readings, model."""
