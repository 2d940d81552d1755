"""Examples of the OpenAPI document; as instances of the schemas they cannot disagree with them."""
