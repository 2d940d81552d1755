"""Pictures in place of a model's images: soft scenes, drawn from numbers alone."""
