"""The tables. PynamoDB stays inside this package; what leaves it are the domain's own types."""
