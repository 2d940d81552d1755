"""How trainings are known to fail: the texts of `error`, word for word where they have been reported."""

KNOWN: dict[str, str | None] = {
    "unexplained": None,
    "not_a_zip": "input_images must be a zip file",
    "no_photos": "input_images must be provided",
    "unreadable_photo": "cannot identify image file 'input_images/photo.jpg'",
    "truncated_photo": "image file is truncated (12 bytes not processed)",
    "photos_gone": "404 Client Error: Not Found for url",
    "sensitive": "The input or output was flagged as sensitive. Please try again. (E005)",
    "unknown_layers": "The regex 'single_blocks' didn't match any layers. These layers can be optimized:",
    "out_of_memory": "CUDA out of memory. Tried to allocate 72.00 MiB. GPU 0 has a capacity of 79.14 GiB",
    "out_of_memory_killed": "Director: unexpected error handling prediction (E1001)",
    "weights_missing": "Error no file named config.json found in directory FLUX.1-dev/transformer.",
    "read_only": "[Errno 30] Read-only file system: 'vocab.json'",
    "image_not_created": "Failed to create trained image after successful training run.",
    "upload_failed": "Director: unexpected error handling prediction (E9825)",
    "unhealthy": "Director: unexpected error handling prediction (E8765)",
    "start_timed_out": "Director: unexpected error handling prediction (E6716)",
    "stopped": "Director: unexpected error handling prediction (E8367)",
    "unavailable": "Service is temporarily unavailable. Please try again later. (E004)",
    "interrupted": "Prediction interrupted; please retry (code: PA)",
}
