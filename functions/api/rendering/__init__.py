"""From what use cases answer to what goes over the wire. Equal input gives equal bytes."""
